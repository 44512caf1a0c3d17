import { debug } from '../diagnostics.ts'
import { CometError } from '../errors.ts'
import type { HistoryCursor } from '../history/cursor.ts'
import { HistoryEntry } from '../history/history-entry.ts'
import type { Node } from '../node/node.ts'
import type { Packet } from '../protocol/packet.ts'
import type { Target } from '../protocol/target.ts'
import type { Session } from '../session/session.ts'
import { DerivedFrames } from '../stream/derived-frames.ts'
import { controlItem, type PastSource, type ReplayItem } from '../stream/replay.ts'
import { encodeControl, encodeGap, pastBlock } from '../stream/sse.ts'

/** A packet that asks for a room. */
export type JoinPacket = Packet & { readonly type: 'JOIN' }

const REACHED = Promise.resolve()

/** Waits for a position that this node may not have been delivered yet, though another one has. */
export function reachPosition(
  { broker, options, position: now }: Node,
  position: string | undefined,
): Promise<void> {
  if (position === undefined || broker.compare(position, now) !== undefined) return REACHED
  return broker.reach(position, options.commandTimeout)
}

/**
 * Finds the past of a room that a JOIN asks for: since a position, or its last events.
 *
 * @throws CometError TOO_MUCH_HISTORY when the user asks for more than `historyRate` lets it
 */
export function pastOfRoom(node: Node, session: Session, { rid, since, recent }: JoinPacket): PastSource {
  // What still waits for an earlier JOIN of the room is replaced.
  session.dropRoom(rid)
  const targets = [{ rid }]
  const { events, gaps } =
    since === '' ? node.history.last(targets, recent, session) : node.history.since(since, targets, session)
  if (!mayRead(node, session, events)) throw new CometError('TOO_MUCH_HISTORY')
  if (gaps.length === 0) return new PastEvents(events)
  debug('session %s has a gap: %j', session.sid, gaps)
  return new PastEvents(events, { first: controlItem(encodeGap(gaps), { rid }) })
}

/** The last events of a user and of rooms, for a session that is new, or that enters them anew. */
interface RecentEvents {
  /** Undefined when there are none. */
  readonly past: PastSource | undefined
  /**
   * The targets whose events were evicted for want of bytes, or were left out because the user asks for more than
   * `historyRate` lets it.
   */
  readonly gaps: readonly Target[]
}

const NONE: RecentEvents = { past: undefined, gaps: [] }

/**
 * Finds the last events that a session asks for.
 *
 * @param limit the most events of each target
 * @param upTo the position after which the session gets all events anyway. After the last event comes a heartbeat with it
 */
export function recentEventsOf(
  node: Node,
  session: Session,
  targets: readonly Target[],
  limit: number,
  upTo: string,
): RecentEvents {
  const within: Target[] = []
  const gaps: Target[] = []
  for (const target of targets) {
    const asked = node.history.last([target], limit, session, upTo)
    const isWithin = mayRead(node, session, asked.events)
    if (isWithin) within.push(target)
    if (!isWithin || asked.gaps.length > 0) gaps.push(target)
  }
  const { events } = node.history.last(within, limit, session, upTo)
  if (events.next === undefined) return { ...NONE, gaps }
  // Past events carry no id. This heartbeat sets it after the last one, so that a new client that is cut before asks for
  // all of them again. One that has a position does not get them again: its session is in the rooms by then.
  const heartbeat = controlItem(encodeControl('heartbeat', {}, { id: upTo }))
  return { past: new PastEvents(events, { last: heartbeat }), gaps }
}

/** Charges a user for past events. Anonymous clients have a new uid each time, so they are not limited here. */
function mayRead(node: Node, { uid, anonymous }: Session, events: HistoryCursor): boolean {
  return anonymous || node.historyTokens.take(uid, events.bytes)
}

/** Past events, with a control frame before or after them. */
class PastEvents implements PastSource {
  readonly #events: HistoryCursor
  #first: ReplayItem | undefined
  #last: ReplayItem | undefined

  constructor(
    events: HistoryCursor,
    control: { readonly first?: ReplayItem; readonly last?: ReplayItem } = {},
  ) {
    this.#events = events
    this.#first = control.first
    this.#last = control.last
  }

  get next(): number | undefined {
    return this.#first?.ordinal ?? this.#events.next ?? this.#last?.ordinal
  }

  take(): ReplayItem | undefined {
    const first = this.#first
    this.#first = undefined
    if (first !== undefined) return first
    const event = this.#events.take()
    if (event instanceof HistoryEntry)
      return { ordinal: 0, target: event.target, frame: pastFrame(event), ownBytes: 0 }
    if (event !== undefined) return event
    const last = this.#last
    this.#last = undefined
    return last
  }

  dropRoom(rid: string): void {
    this.#events.drop({ rid })
    if (this.#first?.target.rid === rid) this.#first = undefined
  }
}

/** The blocks of large events without an id. */
const pastFrames = new DerivedFrames()

/** Makes the block of a past event. */
function pastFrame({ frame }: HistoryEntry): Buffer | undefined {
  return frame === undefined ? undefined : pastFrames.of(frame, 'past', () => pastBlock(frame))
}
