import { setTimeout as sleep } from 'node:timers/promises'
import type { Comet, Publication } from '../../lib/index.ts'
import type { Random } from './random.ts'
import { NAMED, nameOf, type Publications, type TortureClient } from './torture-clients.ts'

/** A published event. `n` is its place in the order of all events. */
export interface Entry {
  readonly n: number
  readonly to: Receivers
  readonly except: readonly string[]
  readonly transient: boolean
}

/** The receivers of an event: one list, or none for the world. */
export interface Receivers {
  readonly uid?: readonly string[]
  readonly rid?: readonly string[]
  readonly sid?: readonly string[]
}

/** The events during which a client was in a room: from `from` up to, but without, `to`. */
export interface Stay {
  readonly rid: string
  readonly from: number
  to: number
}

/** The target of events for all. */
export const WORLD: Receivers = {}

const LARGE = 'x'.repeat(200_000)

/** Publishes numbered events, and checks what each client got of them. */
export class EventLedger implements Publications {
  readonly entries: Entry[] = []
  readonly #comet: Comet
  readonly #random: Random
  readonly #uids: readonly string[]
  readonly #rids: readonly string[]
  readonly #texts: string[] = []
  /** The sids of the clients that have one by now. */
  sids: () => readonly string[] = () => []

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
    this.publish(this.#anyReceivers(kind), {
      large: kind < 0.85 && random.chance(0.01),
      transient: random.chance(0.25),
      named: random.chance(0.5),
      except: random.chance(0.2) ? this.#several(this.#uids) : [],
    })
  }

  #anyReceivers(kind: number): Receivers {
    if (kind < 0.2) return { uid: this.#several(this.#uids) }
    if (kind < 0.75) return { rid: this.#several(this.#rids) }
    const sids = this.sids()
    return kind < 0.85 && sids.length > 0 ? { sid: this.#several(sids) } : WORLD
  }

  /** Picks one, or sometimes several. */
  #several(ids: readonly string[]): string[] {
    const count = this.#random.chance(0.3) ? this.#random.int(2, 5) : 1
    return Array.from(new Set(Array.from({ length: count }, () => this.#random.pick(ids))))
  }

  /** Publishes a numbered event. @returns its number */
  publish(
    to: Receivers,
    {
      large = false,
      transient = false,
      named = false,
      except = [],
    }: { large?: boolean; transient?: boolean; named?: boolean; except?: readonly string[] } = {},
  ): number {
    const n = this.entries.length
    // Not only ASCII, and several lines, in which connections are cut.
    const text = `${n} ${large ? LARGE : `smörgåsbord 🙂\nof ${'.'.repeat(n % 200)}`}`
    this.#texts.push(text)
    this.entries.push({ n, to, except, transient })
    const content = named ? { event: NAMED, data: { text } } : { evt: text }
    const options = except.length === 0 ? {} : { except: { uid: except } }
    this.#comet.publish({ ...to, ...content } as Publication, { transient, ...options })
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
      if (entry === undefined || !mayGet(entry, client, stays)) problems.push(`got ${n}, which is not for it`)
      if (got.has(n)) problems.push(`got ${n} twice`)
      got.add(n)
      if (entry?.transient) continue
      if (n < latest) problems.push(`got ${n} after ${latest}`)
      latest = Math.max(latest, n)
    }
    for (const entry of this.entries) {
      if (got.has(entry.n)) continue
      const targets = this.#mustGetBy(entry, client, stays)
      if (targets.length === 0 || targets.some((target) => this.#isInGap(entry, target, log))) continue
      problems.push(`missed ${entry.n} for ${targets}`)
    }
    if (garbled > 0) problems.push(`${garbled} came garbled`)
    if (refused !== undefined) problems.push(`may not reconnect: ${refused}`)
    return problems.map((problem) => `${uid} ${problem}`)
  }

  /** Finds the targets of an event by which a client must have got it. */
  #mustGetBy({ n, to, except, transient }: Entry, client: TortureClient, stays: readonly Stay[]): string[] {
    const { uid, log, sids } = client
    if (transient || except.includes(uid)) return []
    if (to.uid !== undefined) return to.uid.includes(uid) ? [nameOf({ uid })] : []
    // A client that keeps its session gets what is published to it; any other has a new one after each reconnect.
    const sid = new Set(sids).size === 1 ? sids[0] : undefined
    if (to.sid !== undefined) {
      return sids.length > 1 && sid !== undefined && to.sid.includes(sid) ? [nameOf({ sid })] : []
    }
    if (to.rid === undefined) return [nameOf({})]
    const isIn = ({ from, to: until }: Stay) => from <= n && n < until
    return stays.flatMap((stay) => {
      if (!to.rid?.includes(stay.rid) || !isIn(stay)) return []
      // A client that left the room before it reconnected gets no more of the room. It was connected for this event if it
      // got a later one before it left, which is certain only where something was published in between.
      const isCertain =
        stay.to === Number.POSITIVE_INFINITY ||
        log.some((item) => 'n' in item && this.#isStored(item.n) && item.n > n && item.published < stay.to)
      return isCertain ? [nameOf({ rid: stay.rid })] : []
    })
  }

  /** Whether a gap names a target of an event right where the event is missing. */
  #isInGap(entry: Entry, target: string, log: TortureClient['log']): boolean {
    let named = false
    for (const item of log) {
      if ('gap' in item) named ||= item.gap.includes(target)
      else if (!this.#isStored(item.n)) continue
      else if (item.n > entry.n) return named
      else if (targetsOf(this.entries[item.n] as Entry).join() === target) named = false
    }
    return named
  }

  #isStored(n: number): boolean {
    return this.entries[n]?.transient === false
  }
}

function targetsOf({ to: { uid, rid, sid } }: Entry): string[] {
  if (uid !== undefined) return uid.map((each) => nameOf({ uid: each }))
  if (rid !== undefined) return rid.map((each) => nameOf({ rid: each }))
  return sid === undefined ? [nameOf({})] : sid.map((each) => nameOf({ sid: each }))
}

/** A client in a room may also read events from before it entered. */
function mayGet({ n, to, except }: Entry, { uid, sids }: TortureClient, stays: readonly Stay[]): boolean {
  if (except.includes(uid)) return false
  if (to.uid !== undefined) return to.uid.includes(uid)
  if (to.sid !== undefined) return to.sid.some((sid) => sids.includes(sid))
  if (to.rid === undefined) return true
  return stays.some(({ rid, to: until }) => to.rid?.includes(rid) && n < until)
}
