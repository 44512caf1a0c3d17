import { debug } from '../diagnostics.ts'
import { CometError } from '../errors.ts'
import type { HistoryCursor } from '../history/cursor.ts'
import { HistoryEntry } from '../history/history-entry.ts'
import type { Node } from '../node/node.ts'
import { skipsOf } from '../node/router.ts'
import { LARGE_BYTES } from '../ports/write-batch.ts'
import type { Packet } from '../protocol/packet.ts'
import type { Target } from '../protocol/target.ts'
import type { Session } from '../session/session.ts'
import { controlItem, type PastSource, type ReplayItem } from '../stream/replay.ts'
import { encodeBlock, encodeControl, encodeGap } from '../stream/sse.ts'

/** A packet that asks for a room. */
export type JoinPacket = Packet & { readonly type: 'JOIN' }

/**
 * Finds the past of a room that a JOIN asks for: since a position, or its last events.
 *
 * @throws CometError TOO_MUCH_HISTORY when the user asks for more than `historyRate` lets it
 */
export function pastOfRoom(node: Node, session: Session, { rid, since, recent }: JoinPacket): PastSource {
  // What still waits for an earlier JOIN of the room is replaced.
  session.dropRoom(rid)
  const targets = [{ rid }]
  const skips = skipsOf(session)
  const { events, gaps } =
    since === ''
      ? { events: node.history.last(targets, recent, skips), gaps: [] }
      : node.history.since(since, targets, skips)
  if (!mayRead(node, session, events)) throw new CometError('TOO_MUCH_HISTORY')
  if (gaps.length === 0) return new PastEvents(events)
  debug('session %s has a gap: %j', session.sid, gaps)
  return new PastEvents(events, { first: controlItem(encodeGap(gaps), { rid }) })
}

/** The last events of rooms, for a session that enters them anew. */
interface RecentEvents {
  /** Undefined when there are none. */
  readonly past: PastSource | undefined
  /** The rooms whose events were left out, because the user asks for more than `historyRate` lets it. */
  readonly leftOut: readonly Target[]
}

const NONE: RecentEvents = { past: undefined, leftOut: [] }

/**
 * Finds the last events of the rooms that a session is in, at most `limit` of each, up to the position where it starts.
 * After them comes a heartbeat with that position.
 */
export function recentEventsOf(node: Node, session: Session, limit: number, start: string): RecentEvents {
  if (limit <= 0) return NONE
  const skips = skipsOf(session)
  const last = (targets: readonly Target[]) => node.history.last(targets, limit, skips, start)
  const within: Target[] = []
  const leftOut: Target[] = []
  for (const rid of session.rooms) {
    const isWithin = mayRead(node, session, last([{ rid }]))
    const list = isWithin ? within : leftOut
    list.push({ rid })
  }
  const events = last(within)
  if (events.next === undefined) return { past: undefined, leftOut }
  // Past events carry no id. This heartbeat sets it after the last one, so that a client that is cut before asks for
  // all of them again.
  const heartbeat = controlItem(encodeControl('heartbeat', {}, { id: start }))
  return { past: new PastEvents(events, { last: heartbeat }), leftOut }
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

/** The blocks of large events without an id, by those with it, for as long as somebody is being sent them. */
const largeFrames = new WeakMap<Buffer, WeakRef<Buffer>>()

/** Encodes the block of a past event. It has no `id:`, which would move the client's position back. */
function pastFrame(event: HistoryEntry): Buffer | undefined {
  const { frame } = event
  if (frame === undefined) return undefined
  if (frame.length < LARGE_BYTES) return encodeBlock({ data: event.evt })
  const known = largeFrames.get(frame)?.deref()
  if (known !== undefined) return known
  const past = encodeBlock({ data: event.evt })
  largeFrames.set(frame, new WeakRef(past))
  return past
}
