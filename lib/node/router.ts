import { Exclusion } from '../history/exclusion.ts'
import type { History, Missed, Window } from '../history/history.ts'
import type { Delivery, Receivers } from '../ports/broker.ts'
import type { Target } from '../protocol/target.ts'
import type { Registry } from '../session/registry.ts'
import type { Session } from '../session/session.ts'
import type { ReplayItem } from '../stream/replay.ts'
import { encodeGap, labelOf, textOf } from '../stream/sse.ts'
import { unpooled } from '../util/pooled.ts'
import { HistoryPolicy, type PolicyContext } from './history-policy.ts'

/** The part of the node that the router uses. */
interface RouterContext extends PolicyContext {
  readonly registry: Registry
  readonly history: History
  readonly counters: { delivered: number }
}

/** The memory that an item takes besides its frame, in bytes: its objects, and those of the frame. */
const ITEM_BYTES = 300

const WORLD: readonly Target[] = [{}]

/** Decides which sessions of this node get an event, and delivers it to them. */
export class Router {
  readonly #context: RouterContext
  readonly #policy: HistoryPolicy
  /** The number of events delivered to this node: the ordinal of the latest one. */
  #ordinal = 0

  constructor(context: RouterContext) {
    this.#context = context
    this.#policy = new HistoryPolicy(context)
  }

  /**
   * Delivers an event: a live session gets the frame, which is encoded once for all that get it by the same target; any
   * other session gets the event in its replay. A session gets it once, by the first of the targets that it belongs to.
   * Never throws. For the broker only, which calls it in the order of the positions.
   */
  deliver(delivery: Delivery): void {
    this.#ordinal += 1
    const targets = targetsIn(delivery.to)
    const event = new RoutedEvent(delivery, targets.length > 1)
    if (!delivery.transient) event.slot = this.#store(event, targets)
    for (const target of targets) this.#deliverBy(target, event)
  }

  /** Stores an event that was published before this node was there. For the broker only, as {@link deliver}. */
  restore(delivery: Delivery, age: number): void {
    this.#ordinal += 1
    if (delivery.transient) return
    const targets = targetsIn(delivery.to)
    this.#store(new RoutedEvent(delivery, targets.length > 1), targets, age)
  }

  /**
   * Begins at a position, from which on events are complete. What was delivered before is not complete any more: every
   * session gets a gap for all of its targets. Never throws.
   */
  begin(position: string): void {
    const isLoss = this.#ordinal > 0
    this.#ordinal += 1
    this.#context.history.begin({ position, ordinal: this.#ordinal }, isLoss)
    for (const session of this.#context.registry.all()) {
      const frame = encodeGap(Array.from(this.#targetsOf(session, true)), { id: position })
      if (session.live) session.push(frame)
      else
        session.addToReplay({
          ordinal: this.#ordinal,
          target: {},
          frame,
          ownBytes: frame.length + ITEM_BYTES,
        })
    }
  }

  #store(event: RoutedEvent, targets: readonly Target[], age = 0): number | undefined {
    const windows: Window[] = []
    for (const target of targets) {
      const limits = this.#policy.limitsOf(target)
      if (limits === undefined) event.markUnstored(target)
      else windows.push({ target, limits })
    }
    const [first] = windows
    if (first === undefined) return undefined
    const { position, exclusion } = event
    const appended = { ordinal: this.#ordinal, position, exclusion, age }
    // Most events that a node of many gets are for users of others.
    const isWanted = targets.some((target) => this.#hasReceiver(target))
    const frame = isWanted ? event.frameFor(first.target) : event.textFor(first.target)
    return this.#context.history.append(windows, frame, appended)
  }

  #deliverBy(target: Target, event: RoutedEvent): void {
    const { history, counters } = this.#context
    let frame: Buffer | undefined
    let item: ReplayItem | undefined
    for (const session of this.#receivers(target)) {
      if (!event.isFor(session)) continue
      counters.delivered += 1
      frame ??= event.frameFor(target)
      if (session.live) {
        session.push(frame)
        continue
      }
      const slot = event.slotFor(target)
      item ??= slot === undefined ? this.#passingItem(target, frame) : history.entry(slot, target)
      session.addToReplay(item)
    }
  }

  /**
   * Finds what a session missed after a position, without the events that pass over it.
   *
   * @param isTakeover whether the session was on another connection before, so that it may have missed events of its own
   */
  missed(session: Session, position: string, isTakeover: boolean): Missed {
    return this.#context.history.since(position, this.#targetsOf(session, isTakeover), session)
  }

  /** Finds the targets of a takeover to which anything was published after a position; all, where nobody can tell. */
  touched(session: Session, position: string | undefined): readonly Target[] {
    const targets = Array.from(this.#targetsOf(session, true))
    if (position === undefined) return targets
    return targets.filter((target) => {
      const { events, gaps } = this.#context.history.since(position, [target])
      return gaps.length > 0 || events.next !== undefined
    })
  }

  /** Makes an item of an event that the history does not store. It may wait for long. */
  #passingItem(target: Target, frame: Buffer): ReplayItem {
    const own = unpooled(frame)
    return { ordinal: this.#ordinal, target, frame: own, ownBytes: own.length + ITEM_BYTES }
  }

  #hasReceiver(target: Target): boolean {
    for (const _ of this.#receivers(target)) return true
    return false
  }

  #receivers({ uid, rid, sid }: Target): Iterable<Session> {
    const { registry } = this.#context
    if (uid !== undefined) return registry.ofUser(uid)
    if (rid !== undefined) return registry.inRoom(rid)
    if (sid === undefined) return registry.all()
    const session = registry.get(sid)
    return session === undefined ? [] : [session]
  }

  *#targetsOf(session: Session, isTakeover: boolean): Iterable<Target> {
    yield { uid: session.uid }
    if (isTakeover) yield { sid: session.sid }
    for (const rid of this.#context.registry.roomsOf(session)) yield { rid }
    yield {}
  }
}

/** An event on its way to the sessions of this node. */
class RoutedEvent {
  readonly position: string
  readonly exclusion: Exclusion | undefined
  /** Its slot in the history. Undefined when it is not stored. */
  slot: number | undefined
  readonly #event: string | undefined
  readonly #data: string
  /** The targets that do not store it, though others may. */
  #unstored: Set<Target> | undefined
  /** The sessions that have it already. Undefined when it has one target only, which names nobody twice. */
  readonly #seen: Set<Session> | undefined
  #label: string | undefined
  #frame: Buffer | undefined

  constructor({ position, event, data, except }: Delivery, hasManyTargets: boolean) {
    this.position = position
    this.exclusion = except === undefined ? undefined : new Exclusion(except)
    this.#event = event
    this.#data = data
    this.#seen = hasManyTargets ? new Set() : undefined
  }

  markUnstored(target: Target): void {
    this.#unstored ??= new Set()
    this.#unstored.add(target)
  }

  /** The slot by which a reader of one of its targets finds it. */
  slotFor(target: Target): number | undefined {
    return this.#unstored?.has(target) ? undefined : this.slot
  }

  /** Tells whether a session gets it. Called once for each target that the session belongs to. */
  isFor(session: Session): boolean {
    if (this.exclusion?.covers(session)) return false
    if (this.#seen === undefined) return true
    if (this.#seen.has(session)) return false
    this.#seen.add(session)
    return true
  }

  /** Encodes its block for a target, once for targets in a row that have the same label, such as users. */
  frameFor(target: Target): Buffer {
    const label = labelOf(target)
    if (this.#frame === undefined || label !== this.#label) {
      this.#frame = Buffer.from(this.textFor(target))
      this.#label = label
    }
    return this.#frame
  }

  /** The text of its block for a target. */
  textFor(target: Target): string {
    return textOf({ comment: labelOf(target), event: this.#event, id: this.position, data: this.#data })
  }
}

function targetsIn({ uids, rids, sids }: Receivers): readonly Target[] {
  if (uids !== undefined) return uids.map((uid) => ({ uid }))
  if (rids !== undefined) return rids.map((rid) => ({ rid }))
  return sids === undefined ? WORLD : sids.map((sid) => ({ sid }))
}
