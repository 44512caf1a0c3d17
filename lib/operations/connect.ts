import { CometError } from '../errors.ts'
import type { Missed } from '../history/history.ts'
import { checkId, newSid } from '../ids.ts'
import type { Hub } from '../node/node.ts'
import type { Transport } from '../ports/transport.ts'
import { checkIdentity, type Identification, type Identified } from '../session/identity.ts'
import { Session } from '../session/session.ts'
import { parseMark } from '../session/stay-away-token.ts'
import { note } from '../stream/replay.ts'
import { encodeControl, encodeGap } from '../stream/sse.ts'
import { admit, isKeptAway, isOvertaken, makeRoom } from './admission.ts'
import { closeSession, leavePresence } from './close.ts'
import { leaveRoom, mayEnter, recentOf, refusal } from './rooms.ts'

/** A client that asks for a stream. */
export interface ConnectRequest {
  /** Who it is, as `identify` answered. */
  readonly identity: Identified
  readonly transport: Transport
  /** The rooms it asks to enter. Default: none. */
  readonly rids?: readonly string[]
  /** What the page calls itself. Default: nothing, and it takes over no session. */
  readonly clientId?: string
  /** The position of the last event it got. Default: none, it is new. */
  readonly position?: string
  /** How many of the last events of each room it wants when it is new. Default: 0. */
  readonly recent?: number
  /** Whether it answers heartbeats. Default: false. */
  readonly answersHeartbeats?: boolean
}

/**
 * Admits a client: ONLINE and ENTER_ROOM are out, then the stream begins with `comet.ready`, goes on with what the
 * client missed, and is live. When the client goes away meanwhile, nothing of it is left.
 *
 * @returns settles when the stream has begun, or need not begin any more
 * @throws CometError when the client is not admitted; the transport is untouched then
 */
export async function connect(hub: Hub, request: ConnectRequest): Promise<void> {
  const { transport, position } = request
  const newcomer = check(hub, request)
  const { identity, session } = newcomer
  const { entered, refused } = await arrive(hub, newcomer, position)
  // The client has gone, or was disconnected by the host meanwhile.
  if (transport.closed || session.closed) return
  if (hub.closing) throw new CometError('SHUTTING_DOWN')
  const excess = makeRoom(hub, session)

  // From here on the session is owed what is published, and whatever ends it takes the one close path.
  const start = hub.broker.position()
  register(hub, session, transport, identity.rooms, entered)
  const announced = announce(hub, session, identity.info)
  // After presence was asked about this one: a user who exchanges its only session is not offline in between.
  for (const oldest of excess) closeSession(hub, oldest, { code: 'EVICTED' })
  const held = await announced
  const tooMany =
    held.length > hub.options.maxRoomsPerSession ? await limitRooms(hub, session, held, entered) : []
  if (session.closed) return
  begin(hub, session, { position, start, refused: refused.concat(tooMany), recent: request.recent ?? 0 })
  // The client may have gone with the first bytes.
  if (!session.closed) hub.upkeep.add(session, identity, request.answersHeartbeats === true)
}

const NONE: ReadonlySet<string> = new Set()

const NOTHING_ASKED: Asked = { entered: [], refused: [] }

/** A client whose request was checked. */
interface Newcomer {
  readonly identity: Identification
  /** The rooms it asks to enter. */
  readonly asked: ReadonlySet<string>
  readonly session: Session
}

/**
 * Checks what a client asks for.
 *
 * @returns its session, which nobody knows of yet
 */
function check(hub: Hub, { identity: identified, transport, rids, clientId }: ConnectRequest): Newcomer {
  const { maxIdBytes } = hub.options
  const identity = checkIdentity(identified, maxIdBytes)
  const asked = rids?.length ? new Set(rids.map((rid) => checkId('rid', rid, maxIdBytes))) : NONE
  if (clientId !== undefined) checkId('clientId', clientId, maxIdBytes)
  if (hub.closing) throw new CometError('SHUTTING_DOWN')
  return { identity, asked, session: new Session(hub, transport, newSid(hub.id), identity, clientId) }
}

/** Which rooms a client that asked for them may enter, and which not. */
interface Asked {
  readonly entered: readonly string[]
  readonly refused: readonly string[]
}

/** Finds out whether the client may come, and where to. It is not let in when it is disconnected meanwhile. */
async function arrive(
  hub: Hub,
  { identity, asked, session }: Newcomer,
  position: string | undefined,
): Promise<Asked> {
  hub.arrivals.add(session)
  try {
    const mark = position === undefined ? undefined : parseMark(position)
    if (mark !== undefined && (await isKeptAway(hub, mark, session))) throw new CometError('KEPT_AWAY')
    const answer = asked.size === 0 ? NOTHING_ASKED : await ask(hub, session, asked, identity)
    await hub.gathering.join()
    return answer
  } finally {
    hub.arrivals.delete(session)
  }
}

/** Asks `canEnter` for each room. */
async function ask(
  hub: Hub,
  session: Session,
  rids: ReadonlySet<string>,
  { info, rooms }: Identification,
): Promise<Asked> {
  // Hosts are not asked about somebody who has gone while it was being identified.
  if (session.lost) return NOTHING_ASKED
  const asked = Array.from(rids)
  // The rooms that identify named come first, and need no asking.
  const free = Math.max(0, hub.options.maxRoomsPerSession - rooms.length)
  const answers = await Promise.all(
    asked.slice(0, free).map(async (rid) => ({ rid, ...(await mayEnter(hub, session, rid, info)) })),
  )
  // Let in without it, the client would miss what the room is told meanwhile, and not know. And a 403 would stop
  // EventSource for good, which only a real no should do.
  if (answers.some(({ failed }) => failed)) throw new CometError('UNAVAILABLE', 'canEnter failed.')
  const entered = answers.filter(({ allowed }) => allowed).map(({ rid }) => rid)
  const refused = asked.filter((rid) => !entered.includes(rid))
  if (entered.length === 0) {
    if (free === 0) throw new CometError('TOO_MANY_ROOMS')
    throw refusal(hub, refused)
  }
  return { entered, refused }
}

/** Has a session routed to. */
function register(
  { registry, counters, options }: Hub,
  session: Session,
  transport: Transport,
  rooms: readonly string[],
  entered: readonly string[],
): void {
  registry.add(session)
  for (const rid of rooms) registry.enter(session, rid)
  for (const rid of entered) registry.enter(session, rid)
  counters.connections += 1
  transport.listen(session, options.writeTimeout)
}

/**
 * Tells presence, which may find that the session takes over another, and what rooms its user is a member of.
 *
 * @returns the rooms that the session holds, in the order it entered them
 */
async function announce(hub: Hub, session: Session, info: unknown): Promise<readonly string[]> {
  if (session.anonymous) return []
  if (isOvertaken(hub, session)) {
    await closeSession(hub, session, { code: 'REPLACED' })
    return []
  }
  const { uid, connection, clientId } = session
  try {
    const admission = await hub.presence.connect(
      { uid, connection, info, clientId },
      Array.from(session.rooms),
    )
    admit(hub, session, admission)
    // It may have ended while presence did not know of it yet.
    if (session.closed) await leavePresence(hub, session)
    return admission.rooms
  } catch (cause) {
    await closeSession(hub, session, { code: 'GONE' })
    hub.hooks.report(cause)
    throw new CometError('UNAVAILABLE', 'Presence could not be reached.', { cause })
  }
}

/**
 * Has a session that took over another, and has the rooms of both, leave those that are too many.
 *
 * @returns the rooms it left: of those that it entered itself
 */
async function limitRooms(
  hub: Hub,
  session: Session,
  held: readonly string[],
  entered: readonly string[],
): Promise<readonly string[]> {
  const tooMany = held.slice(hub.options.maxRoomsPerSession).filter((rid) => entered.includes(rid))
  for (const rid of tooMany) {
    await leaveRoom(hub, session, rid).catch((error) => hub.hooks.report(error))
  }
  return tooMany
}

/** Where a stream begins. */
interface Beginning {
  /** What the client gave as the position of the last event it got. */
  readonly position: string | undefined
  /** The position from which on the session was owed what is published. */
  readonly start: string
  readonly refused: readonly string[]
  readonly recent: number
}

const NOTHING_MISSED: Missed = { events: [], gaps: [] }

/** Begins the stream: what the client missed is determined and the session goes on from there in the same step. */
function begin(hub: Hub, session: Session, { position, start, refused, recent }: Beginning): void {
  const { events, gaps } = position === undefined ? NOTHING_MISSED : hub.missed(session, position)
  const past = position === undefined ? recentOf(hub, session, session.rooms, recent) : []
  // Only who has got all of the past comes back with a position, and not for all of it again.
  if (past.length > 0) past.push(note(encodeControl('heartbeat', {}, { id: start })))
  const isBehind = session.resume([...past, ...events])
  const ready = {
    sid: session.sid,
    uid: session.uid,
    rooms: Array.from(hub.registry.roomsOf(session)),
    refused,
    recovered: position !== undefined && gaps.length === 0,
    heartbeat: hub.options.heartbeatInterval,
  }
  // Whoever is cut amid what follows must come back for it: the id is that of what the client has. With a gap to be
  // said it is none, so that the client keeps the one it came with until it was told.
  const id = isBehind ? (position ?? start) : hub.broker.position()
  const blocks = [
    encodeControl('ready', ready, {
      retry: hub.retry(),
      id: gaps.length > 0 || past.length > 0 ? undefined : id,
    }),
  ]
  if (gaps.length > 0) blocks.push(encodeGap(gaps, { id: isBehind ? undefined : id }))
  session.open(blocks)
}
