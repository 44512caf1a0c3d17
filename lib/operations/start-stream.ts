import { debug } from '../diagnostics.ts'
import type { Missed } from '../history/history.ts'
import type { Node } from '../node/node.ts'
import type { PreviousConnection } from '../ports/presence.ts'
import { type Target, targetKey } from '../protocol/target.ts'
import type { Session } from '../session/session.ts'
import { encodeControl, encodeGap } from '../stream/sse.ts'
import { recentEventsOf } from './past.ts'

/** The version of the control events that a client may meet. */
const VERSION = 1

const NONE: readonly Target[] = []

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

/**
 * Starts the stream. What the client missed is determined in the same step, so that nothing falls in between.
 *
 * @returns whether the client gets all that it missed
 */
export function startStream(
  node: Node,
  session: Session,
  { position, start, previous, refused, recent }: StreamStart,
): boolean {
  const isNew = position === undefined
  const missed = missedBy(node, session, { position, start, previous, recent })
  const { past, gaps: lost } = recentItemsOf(node, session, { position, start, previous, recent })
  const unknown = unknownTo(node, session, { position, previous })
  const gaps = distinct([unknown, missed?.gaps ?? NONE, lost])
  const isBehind = session.resume(past, missed?.events)
  const ready = {
    version: VERSION,
    sid: session.sid,
    connection: session.connection,
    uid: session.uid,
    rooms: Array.from(node.registry.roomsOf(session)),
    refused,
    recovered: !isNew && gaps.length === 0,
    heartbeat: node.options.heartbeatInterval,
  }
  // A client that is cut during the replay must come back for the rest, so its id is the position it had. With a gap
  // `comet.ready` has no id: the client keeps the one it came with until it was told of the gap.
  const id = isBehind ? (position ?? start) : node.position
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
  return ready.recovered
}

/** What is missed by a client, as far as the history has it. */
function missedBy(
  node: Node,
  session: Session,
  { position, start, previous, recent }: Omit<StreamStart, 'refused'>,
): Missed | undefined {
  const isTakeover = previous !== undefined
  if (position !== undefined) return node.router.missed(session, position, isTakeover)
  // A newcomer missed nothing, but of the rooms that it entered later than it was registered: those that only presence
  // knew of. Its recent events end where its session starts.
  const isInMore = node.registry.roomsOf(session).size > session.rooms.size
  const mayHaveMissed = recent > 0 || isTakeover || isInMore
  return mayHaveMissed ? node.router.missed(session, start, isTakeover) : undefined
}

/**
 * Finds the recent events that a client asks for. A new one gets those of its user and its rooms. One with a position gets
 * those of the rooms that its session enters anew, which only a takeover can tell.
 */
function recentItemsOf(
  node: Node,
  session: Session,
  { position, start, previous, recent }: Omit<StreamStart, 'refused'>,
): ReturnType<typeof recentEventsOf> {
  if (recent <= 0) return { past: undefined, gaps: NONE }
  const { registry, broker } = node
  if (position === undefined) {
    const targets: Target[] = [{ uid: session.uid }]
    for (const rid of registry.roomsOf(session)) targets.push({ rid })
    return recentEventsOf(node, session, targets, recent, start)
  }
  const targets: Target[] = []
  for (const rid of previous === undefined ? [] : session.rooms.keys()) {
    if (!previous?.rooms.includes(rid)) targets.push({ rid })
  }
  // What comes after its position, the client gets as missed events.
  const upTo = broker.compare(position, start) === undefined ? start : position
  return recentEventsOf(node, session, targets, recent, upTo)
}

/**
 * Finds the targets of which nobody can tell what the client got: it took over its session without a position. What was
 * written to the previous connection may not have been received, so they are those to which anything was published since
 * that connection started. It cannot be sent again, either, because the client may have it.
 */
function unknownTo(
  node: Node,
  session: Session,
  { position, previous }: Pick<StreamStart, 'position' | 'previous'>,
): readonly Target[] {
  if (position !== undefined || previous === undefined) return NONE
  return node.router.touched(session, previous.start)
}

/** Joins lists of targets, each target once. */
function distinct(lists: readonly (readonly Target[])[]): readonly Target[] {
  if (lists.every((list) => list.length === 0)) return NONE
  return Array.from(new Map(lists.flat().map((target) => [targetKey(target), target])).values())
}
