import { CometError } from '../errors.ts'
import { newSid } from '../ids.ts'
import type { Node } from '../node/node.ts'
import { restorableSession } from '../node/restorable-sessions.ts'
import type {
  Admission,
  PreviousConnection,
  RestorableSession,
  SessionMembership,
} from '../ports/presence.ts'
import type { Transport } from '../ports/transport.ts'
import type { DisconnectWatch } from '../session/disconnect-log.ts'
import { firstBlockFor } from '../session/first-block.ts'
import { checkIdentity, type Identification, type Identified } from '../session/identity.ts'
import type { Watch } from '../session/membership-changes.ts'
import type { Newcomer } from '../session/newcomers.ts'
import { Session } from '../session/session.ts'
import { parseStayAwayToken } from '../session/stay-away-token.ts'
import { wholeTime } from '../util/clock.ts'
import { flat } from '../util/flat.ts'
import { checkId } from '../util/validate.ts'
import {
  addNewcomer,
  enforceSessionLimits,
  evictExcess,
  laterRequestServed,
  mustStayAway,
  turnAway,
  wasTakenOver,
} from './admission.ts'
import { authorize, grant, toAsk } from './authorize.ts'
import { closeSession, leavePresence } from './close.ts'
import { reachPosition } from './past.ts'
import { startStream } from './start-stream.ts'
import { type Arrival, applyAdmission, type GrantedRooms, limitRooms, settleRooms } from './takeover.ts'

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
   * The number of last events that a new client wants of its user and of each room.
   *
   * @default 0
   */
  readonly recent?: number
  /**
   * The page's own count of its requests for its stream: one with a smaller number never takes over the connection of one
   * with a larger number.
   *
   * @default undefined: a request is later than those of the page that came before
   */
  readonly requestNumber?: number
  /**
   * Whether the client answers heartbeats.
   *
   * @default false
   */
  readonly answersHeartbeats?: boolean
  /**
   * Made by `comet.watchDisconnects` when the request came: a `disconnect` of the user since then holds for this
   * client, too.
   *
   * @default undefined: only a `disconnect` from now on does
   */
  readonly watch?: DisconnectWatch
}

/**
 * Admits a client. ONLINE and ENTER_ROOM are out before the stream starts with `comet.ready`; then come the events that
 * the client missed, and from there on it is live. A client that goes away meanwhile leaves nothing behind.
 *
 *     validate → authorize → register → joinPresence → settleRooms → startStream → evictExcess
 *     (the app may answer late in authorize and settleRooms; presence may answer late in joinPresence)
 *
 * @returns settles when the stream has started, or need not start any more
 * @throws CometError when the client is not admitted; the transport is untouched then
 */
export async function connect(node: Node, request: ConnectRequest): Promise<void> {
  const { identity, rids, session } = validate(node, request)
  const newcomer = addNewcomer(node, session)
  const watch = node.membershipChanges.watch(session.uid)
  let recovered = false
  let former: PreviousConnection | undefined
  try {
    request.transport.listen(session, node.options.writeTimeout)
    const disconnected = request.watch?.disconnected(session.uid)
    if (disconnected !== undefined) closeSession(node, session, { ...disconnected, code: 'DISCONNECTED' })
    if (session.closed) return
    const token = request.position === undefined ? undefined : parseStayAwayToken(request.position)
    if (token !== undefined && (await newcomer.until(mustStayAway(node, token, session)))) {
      throw new CometError('STAY_AWAY')
    }
    const asked = toAsk(node, identity, rids)
    let allowed: readonly string[] = []
    if (asked.length > 0 && !session.closed) allowed = await authorize(node, newcomer, identity, asked)
    await newcomer.until(reachPosition(node, request.position))
    await node.connectBatcher.join()
    if (newcomer.refusal !== undefined) throw newcomer.refusal
    if (session.closed || request.transport.closed) return
    if (node.closing) throw new CometError('SHUTTING_DOWN')
    enforceSessionLimits(node, session)
    const granted = grant(node, watch, { identity, rids, allowed })
    // From here on events reach the session.
    const start = node.position
    register(node, session, granted)
    // Told of this one now, presence would let it take over the later one.
    if (wasTakenOver(node, session)) {
      await closeSession(node, session, { code: 'TAKEN_OVER' })
      return
    }
    // Presence is asked in this step, and knows all that was changed before.
    watch.restart()
    const joined = joinPresence(node, newcomer, identity.info, granted, watch)
    // A session that has ended meanwhile is ended for presence, too, when it answers.
    const { rooms, previous } = (await newcomer.until(joined)) ?? (await joined)
    if (session.closed) return
    let unwelcome = granted.refused
    if (rooms.length > 0) {
      unwelcome = await settle(node, { newcomer, info: identity.info, granted, watch }, rooms)
      if (session.closed) return
    }
    const refused = unwelcome.filter((rid) => !session.rooms.has(rid))
    if (request.position === undefined) await newcomer.until(reachPosition(node, previous?.start))
    if (session.closed) return
    const { position, recent = 0 } = request
    recovered = startStream(node, session, { position, start, previous, refused, recent })
    former = previous
    evictExcess(node, session)
  } finally {
    watch.end()
    node.newcomers.delete(newcomer)
  }
  // The client may go with the first bytes.
  if (session.closed) return
  node.liveness.add(session, identity, request.answersHeartbeats === true)
  sayConnected(node, session, { info: identity.info, recovered, former })
}

function sayConnected(
  { hooks, registry, sessionFeed }: Node,
  session: Session,
  { info, recovered, former }: { info: unknown; recovered: boolean; former: PreviousConnection | undefined },
): void {
  session.connectedAt = wholeTime()
  if (!hooks.has('connect')) return
  const previous = former && { connection: former.connection, connected: former.connected }
  sessionFeed.push([
    {
      session: registry.infoOf(session),
      recovered,
      ...(info === undefined ? {} : { info }),
      ...(previous === undefined ? {} : { previous }),
    },
  ])
}

const NONE: ReadonlySet<string> = new Set()

/** What a client asked for, checked. */
interface Validated {
  readonly identity: Identification
  /** The rooms that the client asks to enter. */
  readonly rids: ReadonlySet<string>
  /** Made, but not registered yet. */
  readonly session: Session
}

function validate(node: Node, request: ConnectRequest): Validated {
  const { identity: identified, transport, rids, clientId: page, position } = request
  const { maxIdBytes } = node.options
  const identity = checkIdentity(identified, maxIdBytes)
  const asked = rids?.length ? new Set(rids.map((rid) => flat(checkId('rid', rid, maxIdBytes)))) : NONE
  const clientId = page === undefined ? undefined : flat(checkId('clientId', page, maxIdBytes))
  if (node.closing) throw new CometError('SHUTTING_DOWN')
  if (!node.isReady) throw new CometError('UNAVAILABLE', 'The broker has not been reached yet.')
  const { uid, anonymous } = identity
  if (!anonymous && !node.connectTokens.take(uid)) throw new CometError('TOO_MANY_CONNECTS')
  const session = new Session(node, transport, newSid(node.id), identity, clientId)
  session.beginWith(firstBlockFor(position), position !== undefined)
  if (clientId !== undefined && position !== undefined) session.position = flat(position)
  if (clientId !== undefined) session.requestNumber = request.requestNumber
  session.order = request.watch?.number ?? node.disconnects.next()
  return { identity, rids: asked, session }
}

/**
 * Settles the rooms that presence answered.
 *
 * @returns the rooms that the client asked for, or had before, and may not enter
 * @throws what `canEnter` threw; the session is closed then
 */
async function settle(
  node: Node,
  arrival: Arrival,
  rooms: readonly SessionMembership[],
): Promise<readonly string[]> {
  try {
    const left = await settleRooms(node, arrival, rooms)
    const excess = await limitRooms(node, arrival, rooms)
    return Array.from(new Set([...arrival.granted.refused, ...left, ...excess]))
  } catch (error) {
    // Its memberships stay for the grace, in which it may come back.
    await closeSession(node, arrival.newcomer.session, { code: 'GONE' })
    throw error
  }
}

/** Makes the session reachable: the router delivers to it. */
function register({ registry, counters }: Node, session: Session, { identity, url }: GrantedRooms): void {
  registry.add(session)
  for (const rid of identity) registry.enter(session, rid, 'identity')
  for (const rid of url) registry.enter(session, rid, 'url')
  counters.connections += 1
}

const NO_ADMISSION: Pick<Admission, 'rooms' | 'previous'> = { rooms: [] }

/**
 * Tells presence of the session. Presence may find that it takes over another, and which rooms its user is a member of.
 *
 * @throws CometError UNAVAILABLE when presence fails, or a later request of the same page is connected; the session is
 *   closed then
 */
async function joinPresence(
  node: Node,
  newcomer: Newcomer,
  info: unknown,
  { identity, url }: GrantedRooms,
  watch: Watch,
): Promise<Pick<Admission, 'rooms' | 'previous'>> {
  const { session } = newcomer
  if (session.anonymous) return NO_ADMISSION
  const { uid, connection, clientId } = session
  const rooms: SessionMembership[] = []
  for (const rid of identity) rooms.push({ rid, by: 'identity' })
  for (const rid of url) rooms.push({ rid, by: 'url' })
  try {
    if (clientId !== undefined) session.start = startOf(node, session)
    const { start, requestNumber } = session
    const arrival = { uid, connection, info, clientId, start, requestNumber }
    const admission = await node.presence.connect(arrival, rooms)
    if (admission !== undefined) {
      applyAdmission(node, session, admission, watch)
      newcomer.markAdmitted()
      // It may have ended before presence knew of it.
      if (session.closed) await leavePresence(node, session, () => admittedSession(session, admission))
      return admission
    }
  } catch (cause) {
    node.ports.reportFailure('presence', cause)
    throw refuse(node, newcomer, new CometError('UNAVAILABLE', 'Presence could not be reached.', { cause }))
  }
  // What has ended it meanwhile was told to its client.
  if (session.closed) return NO_ADMISSION
  throw refuse(node, newcomer, laterRequestServed())
}

/** Ends a session that presence does not know. @returns the error */
function refuse(node: Node, newcomer: Newcomer, error: CometError): CometError {
  turnAway(node, newcomer, error)
  return error
}

/** Describes a session that was in no room here when presence admitted it. */
function admittedSession(session: Session, { rooms, memberships }: Admission): RestorableSession {
  return { ...restorableSession(session, memberships), rooms }
}

/** Finds the position from which on a connection brings events: the one that the client brought, or the current one. */
function startOf({ broker, position: now }: Node, { position }: Session): string {
  return position !== undefined && broker.compare(position, now) !== undefined ? position : now
}
