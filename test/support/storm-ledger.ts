import type { Comet } from '../../lib/index.ts'
import type { Random } from './random.ts'
import { nameOf, type Publications, type StormClient } from './storm-clients.ts'

/** An event that was published; `n` is its place in the order of all. */
export interface Entry {
  readonly n: number
  readonly uid?: string
  readonly rid?: string
  readonly except?: string
  readonly transient: boolean
}

/** Through which events a client was in a room: from the first one on, up to but without the second. */
export interface Stay {
  readonly rid: string
  readonly from: number
  to: number
}

/** The target of what is for all. */
export const WORLD: { readonly uid?: never; readonly rid?: never } = {}

const LARGE = 'x'.repeat(200_000)

/** Numbers what is published, and knows who is owed what. */
export class StormLedger implements Publications {
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

  /** Publishes this and that until the time is over, sometimes much at once. */
  async storm(milliseconds: number): Promise<void> {
    const random = this.#random
    const end = performance.now() + milliseconds
    while (performance.now() < end) {
      const burst = random.chance(0.03) ? 60 : random.int(1, 4)
      for (let each = 0; each < burst; each += 1) this.publishAny()
      await new Promise((resolve) => setTimeout(resolve, random.int(0, 40)))
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
    // More than ASCII, and more lines than one, for cuts to be made in.
    const text = `${n} ${large ? LARGE : `smörgåsbord 🙂\nof ${'.'.repeat(n % 200)}`}`
    this.#texts.push(text)
    const excepted = except === undefined ? {} : { except }
    this.entries.push({ n, ...target, ...excepted, transient })
    const options = except === undefined ? {} : { except: { uid: except } }
    this.#comet.publish({ ...target, evt: text }, { transient, ...options })
    return n
  }

  /** What is wrong with what a client got, in words. */
  check(client: StormClient, stays: readonly Stay[]): string[] {
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
      if (got.has(entry.n) || !this.#isOwed(entry, uid, stays, log)) continue
      if (!this.#isInGap(entry, log)) problems.push(`missed ${entry.n} for ${targetOf(entry)}`)
    }
    if (garbled > 0) problems.push(`${garbled} came garbled`)
    if (refused !== undefined) problems.push(`may not come back: ${refused}`)
    return problems.map((problem) => `${uid} ${problem}`)
  }

  #isOwed(entry: Entry, uid: string, stays: readonly Stay[], log: StormClient['log']): boolean {
    if (entry.transient || entry.except === uid) return false
    if (entry.uid !== undefined || entry.rid === undefined) return (entry.uid ?? uid) === uid
    const stay = stays.find(({ rid, from, to }) => rid === entry.rid && from <= entry.n && entry.n < to)
    if (stay === undefined) return false
    if (stay.to === Number.POSITIVE_INFINITY) return true
    // Who has left before it comes back is not told any more. It was there for this if later ones came before it left,
    // which is certain only where something was published in between.
    return log.some(
      (item) => 'n' in item && this.#isKept(item.n) && item.n > entry.n && item.published < stay.to,
    )
  }

  /** Whether a gap that names its target was said right where the event is missing. */
  #isInGap(entry: Entry, log: StormClient['log']): boolean {
    const target = targetOf(entry)
    let named = false
    for (const item of log) {
      if ('gap' in item) named ||= item.gap.includes(target)
      else if (!this.#isKept(item.n)) continue
      else if (item.n > entry.n) return named
      else if (targetOf(this.entries[item.n] as Entry) === target) named = false
    }
    return named
  }

  #isKept(n: number): boolean {
    return this.entries[n]?.transient === false
  }
}

function targetOf({ uid, rid }: Entry): string {
  return nameOf({ ...(uid === undefined ? {} : { uid }), ...(rid === undefined ? {} : { rid }) })
}

/** Who is in a room may read what it was told before. */
function mayGet(entry: Entry, uid: string, stays: readonly Stay[]): boolean {
  if (entry.except === uid) return false
  if (entry.uid !== undefined || entry.rid === undefined) return (entry.uid ?? uid) === uid
  return stays.some(({ rid, to }) => rid === entry.rid && entry.n < to)
}
