import { setTimeout as sleep } from 'node:timers/promises'
import type { Comet } from '../../lib/index.ts'
import type { Random } from './random.ts'
import { nameOf, type Publications, type TortureClient } from './torture-clients.ts'

/** A published event. `n` is its place in the order of all events. */
export interface Entry {
  readonly n: number
  readonly uid?: string
  readonly rid?: string
  readonly except?: string
  readonly transient: boolean
}

/** The events during which a client was in a room: from `from` up to, but without, `to`. */
export interface Stay {
  readonly rid: string
  readonly from: number
  to: number
}

/** The target of events for all. */
export const WORLD: { readonly uid?: never; readonly rid?: never } = {}

const LARGE = 'x'.repeat(200_000)

/** Publishes numbered events, and checks what each client got of them. */
export class EventLedger implements Publications {
  readonly entries: Entry[] = []
  readonly #comet: Comet
  readonly #random: Random
  readonly #uids: readonly string[]
  readonly #rids: readonly string[]
  readonly #texts: string[] = []

  constructor(comet: Comet, random: Random, uids: readonly string[], rids: readonly string[]) {
    this.#comet = comet
    this.#random = random
    this.#uids = uids
    this.#rids = rids
  }

  get count(): number {
    return this.entries.length
  }

  textOf(n: number): string | undefined {
    return this.#texts[n]
  }

  /**
   * Publishes to random targets, sometimes many events at once.
   *
   * @param milliseconds how long, at least
   * @param isEnough whether to stop then
   */
  async publishFor(milliseconds: number, isEnough: () => boolean): Promise<void> {
    const random = this.#random
    const end = performance.now() + milliseconds
    while (performance.now() < end || !isEnough()) {
      const burst = random.chance(0.03) ? 60 : random.int(1, 4)
      for (let each = 0; each < burst; each += 1) this.publishAny()
      await sleep(random.int(0, 40))
    }
  }

  publishAny(): void {
    const random = this.#random
    const kind = random.next()
    const uid = random.pick(this.#uids)
    const target = kind < 0.25 ? { uid } : kind < 0.85 ? { rid: random.pick(this.#rids) } : WORLD
    const isLarge = kind < 0.85 && random.chance(0.01)
    this.publish(target, {
      large: isLarge,
      transient: random.chance(0.25),
      ...(random.chance(0.2) ? { except: random.pick(this.#uids) } : {}),
    })
  }

  /** Publishes a numbered event. @returns its number */
  publish(
    target: { readonly uid: string } | { readonly rid: string } | typeof WORLD,
    {
      large = false,
      transient = false,
      except,
    }: { large?: boolean; transient?: boolean; except?: string } = {},
  ): number {
    const n = this.entries.length
    // Not only ASCII, and several lines, in which connections are cut.
    const text = `${n} ${large ? LARGE : `smörgåsbord 🙂\nof ${'.'.repeat(n % 200)}`}`
    this.#texts.push(text)
    const excepted = except === undefined ? {} : { except }
    this.entries.push({ n, ...target, ...excepted, transient })
    const options = except === undefined ? {} : { except: { uid: except } }
    this.#comet.publish({ ...target, evt: text }, { transient, ...options })
    return n
  }

  /** @returns what is wrong with the events that a client got, in words */
  check(client: TortureClient, stays: readonly Stay[]): string[] {
    const { uid, log, refused, garbled } = client
    const problems: string[] = []
    const got = new Set<number>()
    let latest = -1
    for (const item of log) {
      if ('gap' in item) continue
      const { n } = item
      const entry = this.entries[n]
      if (entry === undefined || !mayGet(entry, uid, stays)) problems.push(`got ${n}, which is not for it`)
      if (got.has(n)) problems.push(`got ${n} twice`)
      got.add(n)
      if (entry?.transient) continue
      if (n < latest) problems.push(`got ${n} after ${latest}`)
      latest = Math.max(latest, n)
    }
    for (const entry of this.entries) {
      if (got.has(entry.n) || !this.#mustGet(entry, uid, stays, log)) continue
      if (!this.#isInGap(entry, log)) problems.push(`missed ${entry.n} for ${targetOf(entry)}`)
    }
    if (garbled > 0) problems.push(`${garbled} came garbled`)
    if (refused !== undefined) problems.push(`may not reconnect: ${refused}`)
    return problems.map((problem) => `${uid} ${problem}`)
  }

  #mustGet(entry: Entry, uid: string, stays: readonly Stay[], log: TortureClient['log']): boolean {
    if (entry.transient || entry.except === uid) return false
    if (entry.uid !== undefined || entry.rid === undefined) return (entry.uid ?? uid) === uid
    const stay = stays.find(({ rid, from, to }) => rid === entry.rid && from <= entry.n && entry.n < to)
    if (stay === undefined) return false
    if (stay.to === Number.POSITIVE_INFINITY) return true
    // A client that left the room before it reconnected gets no more of the room. It was connected for this event if it
    // got a later one before it left, which is certain only where something was published in between.
    return log.some(
      (item) => 'n' in item && this.#isStored(item.n) && item.n > entry.n && item.published < stay.to,
    )
  }

  /** Whether a gap names the target of an event right where the event is missing. */
  #isInGap(entry: Entry, log: TortureClient['log']): boolean {
    const target = targetOf(entry)
    let named = false
    for (const item of log) {
      if ('gap' in item) named ||= item.gap.includes(target)
      else if (!this.#isStored(item.n)) continue
      else if (item.n > entry.n) return named
      else if (targetOf(this.entries[item.n] as Entry) === target) named = false
    }
    return named
  }

  #isStored(n: number): boolean {
    return this.entries[n]?.transient === false
  }
}

function targetOf({ uid, rid }: Entry): string {
  return nameOf({ ...(uid === undefined ? {} : { uid }), ...(rid === undefined ? {} : { rid }) })
}

/** A client in a room may also read events from before it entered. */
function mayGet(entry: Entry, uid: string, stays: readonly Stay[]): boolean {
  if (entry.except === uid) return false
  if (entry.uid !== undefined || entry.rid === undefined) return (entry.uid ?? uid) === uid
  return stays.some(({ rid, to }) => rid === entry.rid && entry.n < to)
}
