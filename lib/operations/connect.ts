import { CometError } from '../errors.ts'
import { newSid } from '../ids.ts'
import type { Node } from '../node/node.ts'
import type { Transport } from '../ports/transport.ts'
import { firstBlockFor } from '../session/first-block.ts'
import { checkIdentity, type Identification, type Identified } from '../session/identity.ts'
import { Session } from '../session/session.ts'
import { parseStayAwayToken } from '../session/stay-away-token.ts'
import { checkId } from '../util/validate.ts'
import { applyAdmission, enforceSessionLimits, mustStayAway, wasTakenOver } from './admission.ts'
import { closeSession, leavePresence } from './close.ts'
import { leaveRoom, mayEnter, refusal } from './rooms.ts'
import { startStream } from './start-stream.ts'

/** A client that asks for a stream. */
export interface ConnectRequest {
  /** The answer of `identify`. */
  readonly identity: Identified
  readonly transport: Transport
  /**
   * The rooms that the client asks to enter. `canEnter` is asked about each.
   *
   * @default []
   */
  readonly rids?: readonly string[]
  /**
   * The page's name for itself, by which a reconnect takes over its session.
   *
   * @default undefined: the connection takes over no session
   */
  readonly clientId?: string
  /**
   * The position of the last event that the client got.
   *
   * @default undefined: the client is new
   */
  readonly position?: string
  /**
   * The number of last events of each room that a new client wants.
   *
   * @default 0
   */
  readonly recent?: number
  /**
   * Whether the client answers heartbeats.
   *
   * @default false
   */
  readonly answersHeartbeats?: boolean
}

/**
 * Admits a client. ONLINE and ENTER_ROOM are out before the stream starts with `comet.ready`; then come the events that
 * the client missed, and from there on it is live. A client that goes away meanwhile leaves nothing behind.
 *
 *     validate → authorize → enforceSessionLimits → register → joinPresence → limitRooms → startStream
 *     (the app may answer late in authorize; presence may answer late in joinPresence)
 *
 * @returns settles when the stream has started, or need not start any more
 * @throws CometError when the client is not admitted; the transport is untouched then
 */
export async function connect(node: Node, request: ConnectRequest): Promise<void> {
  const { transport, position } = request
  const newcomer = validate(node, request)
  const { identity, session } = newcomer
  session.beginWith(firstBlockFor(position))
  const { entered, refused } = await authorize(node, newcomer, position)
  // The client has gone, or the app disconnected it meanwhile.
  if (transport.closed || session.closed) return
  if (node.closing) throw new CometError('SHUTTING_DOWN')
  const excess = enforceSessionLimits(node, session)

  // From here on events reach the session, and whatever ends it takes the one close path.
  const start = node.broker.position()
  register(node, session, transport, identity.rooms, entered)
  const joined = joinPresence(node, session, identity.info)
  // After presence was asked: a user that exchanges its only session does not go offline in between.
  for (const oldest of excess) closeSession(node, oldest, { code: 'EVICTED' })
  const rooms = await joined
  const tooMany =
    rooms.length > node.options.maxRoomsPerSession ? await limitRooms(node, session, rooms, entered) : []
  if (session.closed) return
  startStream(node, session, {
    position,
    start,
    refused: refused.concat(tooMany),
    recent: request.recent ?? 0,
  })
  // The client may go with the first bytes.
  if (!session.closed) node.liveness.add(session, identity, request.answersHeartbeats === true)
}

const NONE: ReadonlySet<string> = new Set()

/** A client whose request was validated. */
interface Newcomer {
  readonly identity: Identification
  /** The rooms that the client asks to enter. */
  readonly rids: ReadonlySet<string>
  /** Made, but not registered yet. */
  readonly session: Session
}

function validate(node: Node, { identity: identified, transport, rids, clientId }: ConnectRequest): Newcomer {
  const { maxIdBytes } = node.options
  const identity = checkIdentity(identified, maxIdBytes)
  const asked = rids?.length ? new Set(rids.map((rid) => checkId('rid', rid, maxIdBytes))) : NONE
  if (clientId !== undefined) checkId('clientId', clientId, maxIdBytes)
  if (node.closing) throw new CometError('SHUTTING_DOWN')
  return { identity, rids: asked, session: new Session(node, transport, newSid(node.id), identity, clientId) }
}

/** The rooms that a client asked for, by the answer of `canEnter`. */
interface AuthorizedRooms {
  readonly entered: readonly string[]
  readonly refused: readonly string[]
}

const NO_ROOMS: AuthorizedRooms = { entered: [], refused: [] }

/** Finds out whether the client may connect, and which rooms it may enter. Meanwhile `disconnect` can find it. */
async function authorize(
  node: Node,
  { identity, rids, session }: Newcomer,
  position: string | undefined,
): Promise<AuthorizedRooms> {
  node.connecting.add(session)
  try {
    const token = position === undefined ? undefined : parseStayAwayToken(position)
    if (token !== undefined && (await mustStayAway(node, token, session))) throw new CometError('STAY_AWAY')
    const rooms = rids.size === 0 ? NO_ROOMS : await authorizeRooms(node, session, rids, identity)
    await node.connectBatcher.join()
    return rooms
  } finally {
    node.connecting.delete(session)
  }
}

async function authorizeRooms(
  node: Node,
  session: Session,
  rids: ReadonlySet<string>,
  { info, rooms }: Identification,
): Promise<AuthorizedRooms> {
  // The client went away while it was identified: the app need not be asked.
  if (session.clientGone) return NO_ROOMS
  const asked = Array.from(rids)
  // The rooms of `identify` come first and need no asking.
  const free = Math.max(0, node.options.maxRoomsPerSession - rooms.length)
  const answers = await Promise.all(
    asked.slice(0, free).map(async (rid) => ({ rid, ...(await mayEnter(node, session, rid, info)) })),
  )
  // Admitted without the room, the client would miss its events and not know. And a 403 would stop EventSource for
  // good, which only a real no should do.
  if (answers.some(({ failed }) => failed)) throw new CometError('UNAVAILABLE', 'canEnter failed.')
  const entered = answers.filter(({ allowed }) => allowed).map(({ rid }) => rid)
  const refused = asked.filter((rid) => !entered.includes(rid))
  if (entered.length === 0) {
    if (free === 0) throw new CometError('TOO_MANY_ROOMS')
    throw refusal(node, refused)
  }
  return { entered, refused }
}

/** Makes the session reachable: from here on the router delivers to it. */
function register(
  { registry, counters, options }: Node,
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
 * Tells presence of the session. Presence may find that it takes over another, and which rooms its user is a member of.
 *
 * @returns the rooms of the session's own memberships, in the order it entered them
 * @throws CometError UNAVAILABLE when presence fails; the session is closed then
 */
async function joinPresence(node: Node, session: Session, info: unknown): Promise<readonly string[]> {
  if (session.anonymous) return []
  if (wasTakenOver(node, session)) {
    await closeSession(node, session, { code: 'TAKEN_OVER' })
    return []
  }
  const { uid, connection, clientId } = session
  try {
    const admission = await node.presence.connect(
      { uid, connection, info, clientId },
      Array.from(session.rooms),
    )
    applyAdmission(node, session, admission)
    // It may have ended before presence knew of it.
    if (session.closed) await leavePresence(node, session)
    return admission.rooms
  } catch (cause) {
    await closeSession(node, session, { code: 'GONE' })
    node.hooks.report(cause)
    throw new CometError('UNAVAILABLE', 'Presence could not be reached.', { cause })
  }
}

/**
 * Takes a session that has too many rooms, its own and those of the session it took over, out of the last of those
 * that it asked for.
 *
 * @returns the rooms that it left
 */
async function limitRooms(
  node: Node,
  session: Session,
  rooms: readonly string[],
  entered: readonly string[],
): Promise<readonly string[]> {
  const tooMany = rooms.slice(node.options.maxRoomsPerSession).filter((rid) => entered.includes(rid))
  for (const rid of tooMany) {
    await leaveRoom(node, session, rid).catch((error) => node.hooks.report(error))
  }
  return tooMany
}
