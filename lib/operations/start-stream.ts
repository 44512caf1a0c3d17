import { debug } from '../diagnostics.ts'
import type { Node } from '../node/node.ts'
import type { Session } from '../session/session.ts'
import { encodeControl, encodeGap } from '../stream/sse.ts'
import { recentEventsOf } from './past.ts'

/** Where a stream starts. */
export interface StreamStart {
  /** The position that the client brought. */
  readonly position: string | undefined
  /** The position from which on events reach the session. */
  readonly start: string
  readonly refused: readonly string[]
  readonly recent: number
}

/** Starts the stream. What the client missed is determined in the same step, so that nothing falls in between. */
export function startStream(
  node: Node,
  session: Session,
  { position, start, refused, recent }: StreamStart,
): void {
  const isNew = position === undefined
  // The recent events of a newcomer end where its session starts. Of a room that it entered a little later it missed
  // what came in between.
  const missed = isNew && recent === 0 ? undefined : node.router.missed(session, position ?? start)
  const { past, leftOut } = recentEventsOf(node, session, isNew ? recent : 0, start)
  const gaps = isNew ? leftOut : (missed?.gaps ?? [])
  const isBehind = session.resume(past, missed?.events)
  const ready = {
    sid: session.sid,
    uid: session.uid,
    rooms: Array.from(node.registry.roomsOf(session)),
    refused,
    recovered: !isNew && gaps.length === 0,
    heartbeat: node.options.heartbeatInterval,
  }
  // A client that is cut during the replay must come back for the rest, so its id is the position it had. With a gap
  // `comet.ready` has no id: the client keeps the one it came with until it was told of the gap.
  const id = isBehind ? (position ?? start) : node.broker.position()
  const blocks = [
    encodeControl('ready', ready, {
      retry: node.reconnectDelay(),
      id: gaps.length > 0 || past !== undefined ? undefined : id,
    }),
  ]
  if (gaps.length > 0) blocks.push(encodeGap(gaps, { id: isBehind ? undefined : id }))
  debug('session %s of %j opened: rooms %j, recovered %s', ready.sid, ready.uid, ready.rooms, ready.recovered)
  if (gaps.length > 0) debug('session %s has a gap: %j', ready.sid, gaps)
  session.open(blocks)
}
