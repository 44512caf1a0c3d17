import type { Observations, ObservedNode } from './observations.ts'

/** An event in the one order. */
interface Place {
  readonly index: number
  readonly position: string
  /** When the first and the last node was delivered it. */
  readonly firstAt: number
  readonly lastAt: number
}

/** The one order of all events, by number. */
export type Order = ReadonlyMap<number, Place>

/**
 * The time around a loss of the store in which it may have acknowledged what no node has read, in milliseconds: the
 * publisher is told after a second at most.
 */
const LOSS_MS = 1_500

type Fail = (problem: string) => void

/**
 * Finds the order of events from what the nodes were delivered, and checks that there is one: the same positions
 * everywhere, no event twice, nothing left out between a node's first and last, each publisher's in its order, all that
 * was acknowledged and nothing that was rejected.
 */
export function checkOrder({ nodes, published, lostAt }: Observations, fail: Fail): Order {
  const chain = new Chain(fail)
  for (const node of nodes) chain.add(node, lostAt)
  const order = chain.toOrder()
  for (const node of nodes) checkRestored(node, order, { published, fail })
  const latest = new Map<string, number>()
  for (const { n, node } of published) {
    const index = order.get(n)?.index
    if (index === undefined) continue
    const before = latest.get(node)
    if (before !== undefined && index < before) fail(`${n} of ${node} comes before what it published earlier`)
    latest.set(node, index)
  }
  for (const { log, name } of nodes) {
    for (const report of log) {
      if (report.is !== 'published') continue
      const { n, code, at } = report
      const isLost = lostAt.some((lost) => at < lost + LOSS_MS && lost < at + LOSS_MS)
      if (code === undefined && !order.has(n) && !isLost)
        fail(`${n} was acknowledged on ${name}, and is lost`)
      if (code !== undefined && order.has(n)) fail(`${n} was rejected on ${name} (${code}), and delivered`)
    }
  }
  return order
}

/** What follows what, by position: the same for each node. */
class Chain {
  readonly #fail: Fail
  readonly #places = new Map<string, { n: number; firstAt: number; lastAt: number }>()
  readonly #next = new Map<string, string>()
  readonly #before = new Map<string, string>()

  constructor(fail: Fail) {
    this.#fail = fail
  }

  add({ name, log }: ObservedNode, lostAt: readonly number[]): void {
    const seen = new Set<number>()
    let last: string | undefined
    for (const report of log) {
      const { is, at } = report
      if (is === 'begin' && last !== undefined) {
        if (!lostAt.some((lost) => lost <= at)) this.#fail(`${name} began anew, and nothing was lost`)
        last = undefined
      }
      if (is !== 'deliver' && is !== 'restore') continue
      const { n, position } = report
      if (seen.has(n)) this.#fail(`${name} was given ${n} twice`)
      seen.add(n)
      if (is === 'restore') continue
      const place = this.#places.get(position)
      if (place === undefined) this.#places.set(position, { n, firstAt: at, lastAt: at })
      else {
        if (place.n !== n) this.#fail(`${name} was given ${n} where another node has ${place.n}`)
        place.firstAt = Math.min(place.firstAt, at)
        place.lastAt = Math.max(place.lastAt, at)
      }
      if (last !== undefined) this.#link(name, last, position)
      last = position
    }
  }

  toOrder(): Order {
    const order = new Map<number, Place>()
    const heads = Array.from(this.#places).filter(([position]) => !this.#before.has(position))
    heads.sort(([, a], [, b]) => a.firstAt - b.firstAt)
    for (const [head] of heads) {
      for (
        let position: string | undefined = head;
        position !== undefined;
        position = this.#next.get(position)
      ) {
        const { n, firstAt, lastAt } = this.#places.get(position) ?? { n: -1, firstAt: 0, lastAt: 0 }
        if (order.has(n)) this.#fail(`${n} has two positions`)
        else order.set(n, { index: order.size, position, firstAt, lastAt })
      }
    }
    if (order.size < this.#places.size) this.#fail('the events have no order')
    return order
  }

  #link(name: string, last: string, position: string): void {
    const [next, before] = [this.#next.get(last), this.#before.get(position)]
    if ((next ?? position) === position && (before ?? last) === last) {
      this.#next.set(last, position)
      this.#before.set(position, last)
      return
    }
    const n = (at: string | undefined) => (at === undefined ? 'nothing' : this.#places.get(at)?.n)
    this.#fail(
      `${name} was given ${n(position)} after ${n(last)}, other nodes ${n(next)}, or after ${n(before)}`,
    )
  }
}

/** What a node that starts is given of before is in order and complete, but for what is never replayed. */
function checkRestored(
  { name, log }: ObservedNode,
  order: Order,
  { published, fail }: { published: Observations['published']; fail: Fail },
): void {
  const restored = log.filter(({ is }) => is === 'restore') as { n: number; position: string }[]
  const indexes = new Map<number, number>()
  let [first, latest] = [Number.POSITIVE_INFINITY, -1]
  for (const { n, position } of restored) {
    const place = order.get(n)
    if (place?.position !== position) fail(`${name} restored ${n} at ${position}, not ${place?.position}`)
    const index = place?.index ?? 0
    if (index < latest) fail(`${name} restored ${n} out of order`)
    first = Math.min(first, index)
    latest = Math.max(latest, index)
    indexes.set(index, n)
  }
  for (const { n, transient } of published) {
    const index = order.get(n)?.index ?? -1
    if (first < index && index < latest && !transient && !indexes.has(index))
      fail(`${name} did not restore ${n}`)
  }
}
