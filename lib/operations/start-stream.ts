import { debug } from '../diagnostics.ts'
import type { Missed } from '../history/history.ts'
import type { Node } from '../node/node.ts'
import type { PreviousConnection } from '../ports/presence.ts'
import type { Session } from '../session/session.ts'
import { controlItem } from '../stream/replay.ts'
import { encodeControl, encodeGap } from '../stream/sse.ts'
import { recentItemsOf } from './past.ts'

/** The version of the control events that a client may meet. */
const VERSION = 1

/** Where a stream starts. */
export interface StreamStart {
  /** The position that the client brought. */
  readonly position: string | undefined
  /** The position from which on events reach the session. */
  readonly start: string
  /** The connection that the session was on before. */
  readonly previous: PreviousConnection | undefined
  readonly refused: readonly string[]
  readonly recent: number
}

/** Starts the stream. What the client missed is determined in the same step, so that nothing falls in between. */
export function startStream(
  node: Node,
  session: Session,
  { position, start, previous, refused, recent }: StreamStart,
): void {
  const { events, gaps } = missedBy(node, session, { position, start, previous })
  const past = position === undefined ? recentItemsOf(node, session, session.rooms, recent) : []
  // Past events carry no id. This heartbeat sets it after the last one, so that a client that is cut before asks for
  // all of them again.
  if (past.length > 0) past.push(controlItem(encodeControl('heartbeat', {}, { id: start })))
  const isBehind = session.resume([...past, ...events])
  const ready = {
    version: VERSION,
    sid: session.sid,
    connection: session.connection,
    uid: session.uid,
    rooms: Array.from(node.registry.roomsOf(session)),
    refused,
    recovered: position !== undefined && gaps.length === 0,
    heartbeat: node.options.heartbeatInterval,
  }
  // A client that is cut during the replay must come back for the rest, so its id is the position it had. With a gap
  // `comet.ready` has no id: the client keeps the one it came with until it was told of the gap.
  const id = isBehind ? (position ?? start) : node.broker.position()
  const blocks = [
    encodeControl('ready', ready, {
      retry: node.reconnectDelay(),
      id: gaps.length > 0 || past.length > 0 ? undefined : id,
    }),
  ]
  if (gaps.length > 0) blocks.push(encodeGap(gaps, { id: isBehind ? undefined : id }))
  debug('session %s of %j opened: rooms %j, recovered %s', ready.sid, ready.uid, ready.rooms, ready.recovered)
  if (gaps.length > 0) debug('session %s has a gap: %j', ready.sid, gaps)
  session.open(blocks)
}

const NOTHING_MISSED: Missed = { events: [], gaps: [] }

/**
 * Finds what a client missed. A newcomer missed nothing but what came to rooms that presence knew of only.
 *
 * A page that took over its session without a position cannot tell what it got: what was written is not what was
 * received. So everything since the former connection started may be missing, and cannot be sent again either, as the
 * page may have it.
 */
function missedBy(
  node: Node,
  session: Session,
  { position, start, previous }: Pick<StreamStart, 'position' | 'start' | 'previous'>,
): Missed {
  if (position !== undefined) return node.router.missed(session, position)
  const entered = node.registry.roomsOf(session).size
  if (previous === undefined && entered === session.rooms.size) return NOTHING_MISSED
  const { events, gaps } = node.router.missed(session, start)
  return { events, gaps: previous === undefined ? gaps : node.router.touched(session, previous.start) }
}
