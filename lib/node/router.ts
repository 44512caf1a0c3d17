import type { Skips } from '../history/cursor.ts'
import type { History, Missed } from '../history/history.ts'
import type { Hooks } from '../hooks/hooks.ts'
import type { ResolvedOptions } from '../options.ts'
import type { Delivery } from '../ports/broker.ts'
import { type Target, targetIn } from '../protocol/target.ts'
import type { Registry } from '../session/registry.ts'
import type { Session } from '../session/session.ts'
import type { ReplayItem } from '../stream/replay.ts'
import { encodeBlock } from '../stream/sse.ts'
import { unpooled } from '../util/pooled.ts'

/** The part of the node that the router uses. */
interface RouterContext {
  readonly options: Pick<ResolvedOptions, 'keepHistory'>
  readonly hooks: Pick<Hooks, 'report' | 'reportIfRejected'>
  readonly registry: Registry
  readonly history: History
  readonly counters: { delivered: number }
}

/** The memory that an item takes besides its frame, in bytes: its objects, and those of the frame. */
const ITEM_BYTES = 300

/** Decides which sessions of this node get an event, and delivers it to them. */
export class Router {
  readonly #context: RouterContext
  /** The number of events delivered to this node: the ordinal of the latest one. */
  #ordinal = 0

  constructor(context: RouterContext) {
    this.#context = context
  }

  /**
   * Delivers an event: a live session gets the frame, which is encoded once for all; any other session gets the event
   * in its replay. Never throws. For the broker only, which calls it in the order of the positions.
   */
  deliver(delivery: Delivery): void {
    const { evt, except, position } = delivery
    const { history, counters } = this.#context
    this.#ordinal += 1
    const frame = encodeBlock({ id: position, data: evt })
    const slot = this.#isStored(delivery) ? history.append(delivery, frame, this.#ordinal) : undefined
    let item: ReplayItem | undefined
    for (const session of this.#receivers(delivery)) {
      if (isExcepted(session, except)) continue
      counters.delivered += 1
      if (session.live) {
        session.push(frame)
        continue
      }
      item ??= slot === undefined ? this.#passingItem(delivery, frame) : history.entry(slot)
      session.addToReplay(item)
    }
  }

  /** Finds what a session missed after a position, without the events whose option `except` names it. */
  missed(session: Session, position: string): Missed {
    return this.#context.history.since(position, this.#targetsOf(session), skipsOf(session))
  }

  /** Finds the targets of a session to which anything was published after a position; all, where nobody can tell. */
  touched(session: Session, position: string | undefined): readonly Target[] {
    const targets = Array.from(this.#targetsOf(session))
    if (position === undefined) return targets
    return targets.filter((target) => {
      const { events, gaps } = this.#context.history.since(position, [target])
      return gaps.length > 0 || events.next !== undefined
    })
  }

  /** Makes an item of an event that the history does not store. It may wait for long. */
  #passingItem(delivery: Delivery, frame: Buffer): ReplayItem {
    const own = unpooled(frame)
    return {
      ordinal: this.#ordinal,
      target: targetIn(delivery),
      frame: own,
      ownBytes: own.length + ITEM_BYTES,
    }
  }

  #isStored({ uid, rid, transient }: Delivery): boolean {
    const { options, hooks } = this.#context
    const { keepHistory } = options
    if (transient) return false
    if (keepHistory === undefined || uid !== undefined || rid === undefined) return true
    try {
      const answer: unknown = keepHistory({ rid })
      if (answer === true || answer === false) return answer
      // Only `true` counts. An async `keepHistory` returns a promise, which is truthy; it must not count as a yes.
      hooks.reportIfRejected(answer)
      return false
    } catch (error) {
      hooks.report(error)
      return false
    }
  }

  #receivers({ uid, rid }: Delivery): Iterable<Session> {
    const { registry } = this.#context
    if (uid !== undefined) return registry.ofUser(uid)
    return rid === undefined ? registry.all() : registry.inRoom(rid)
  }

  *#targetsOf(session: Session): Iterable<Target> {
    yield { uid: session.uid }
    for (const rid of this.#context.registry.roomsOf(session)) yield { rid }
    yield {}
  }
}

/** Makes what leaves out the events whose option `except` names a session. */
export function skipsOf(session: Session): Skips {
  return (except) => isExcepted(session, except)
}

/** Tells whether the option `except` of an event names a session. */
function isExcepted({ sid, uid }: Session, except: Delivery['except']): boolean {
  if (except === undefined) return false
  return 'sid' in except ? sid === except.sid : uid === except.uid
}
