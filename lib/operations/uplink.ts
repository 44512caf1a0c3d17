import { CometError, isClientError } from '../errors.ts'
import type { ClientMessage } from '../hooks/hooks.ts'
import type { Node } from '../node/node.ts'
import type { Packet } from '../protocol/packet.ts'
import { UserActivityEvent } from '../protocol/user-activity-event.ts'
import { expulsionKey, sessionKey } from '../session/membership-changes.ts'
import type { Session } from '../session/session.ts'
import type { UplinkState } from '../session/uplink-states.ts'
import { now } from '../util/clock.ts'
import { checkId } from '../util/validate.ts'
import { isOwnedBy } from './check-sender.ts'
import { closeSession } from './close.ts'
import { isGone, orIfGone, reach, requestNode, requestOwner } from './cluster-calls.ts'
import type { AnswerOf, IncomingPacket } from './cluster-commands.ts'
import { type JoinPacket, pastOfRoom, reachPosition } from './past.ts'
import { enterRoom, leaveRoom, mayEnter, refusal } from './rooms.ts'

/**
 * Handles a packet on the node that owns the session, after the session's earlier packets (HB and BYE at once).
 *
 * @returns the answer of `onMessage` as JSON text, or undefined
 * @throws CometError NO_SUCH_SESSION, NOT_YOUR_SESSION, TOO_MANY_PACKETS, TOO_MANY_ROOMS, ROOM_REFUSED, INVALID_ID,
 *   INTERNAL, UNAVAILABLE, or what `onMessage` threw
 */
export async function receive(node: Node, incoming: IncomingPacket): Promise<string | undefined> {
  const session = node.registry.get(incoming.sid)
  if (session === undefined) throw new CometError('NO_SUCH_SESSION')
  if (!isOwnedBy(session, incoming)) throw new CometError('NOT_YOUR_SESSION')
  const { packetRate, maxBufferedBytes } = node.options
  const state = node.uplinkStates.of(session.sid)
  if (!state.take(packetRate)) throw new CometError('TOO_MANY_PACKETS')
  // HB and BYE skip the queue, which a slow `canEnter` or `onMessage` may hold up: a late HB would let a client that is
  // alive be closed as SILENT, and a BYE must take effect at once.
  const { type } = incoming.packet
  if (type === 'HB' || type === 'BYE') return await handle(node, session, state, incoming)
  const work = () => handle(node, session, state, incoming)
  return await state.enqueue(work, 2 * packetRate, bytesOf(incoming.packet), maxBufferedBytes)
}

/** Counts the bytes of a packet's texts in UTF-8. */
function bytesOf(packet: Packet): number {
  let bytes = 0
  for (const text of Object.values(packet)) if (typeof text === 'string') bytes += Buffer.byteLength(text)
  return bytes
}

async function handle(
  node: Node,
  session: Session,
  state: UplinkState,
  { packet, info }: IncomingPacket,
): Promise<string | undefined> {
  if (session.closed) throw new CometError('NO_SUCH_SESSION')
  node.counters.packets += 1
  node.liveness.markAlive(session)
  if (!session.anonymous) sayHeard(node, session.uid)
  switch (packet.type) {
    case 'HB':
      return undefined
    case 'BYE':
      await sayBye(node, session, packet.connection)
      return undefined
    case 'SEND':
      return await takeMessage(node, session, state, packet, info)
    case 'LEAVE':
      await leave(node, session, packet.rid)
      return undefined
    case 'JOIN':
      if (packet.rid === '') await leave(node, session, '')
      else await join(node, session, packet, info)
      return undefined
  }
}

/**
 * Ends a session whose client leaves. A page may send its BYE when it goes, and the next page may connect before the
 * BYE arrives: one that names another connection has no effect, and one that names none does not keep the client away.
 */
async function sayBye(node: Node, session: Session, connection: string): Promise<void> {
  if (connection !== '' && connection !== session.connection) return
  await closeSession(node, session, { code: 'BYE', keepsAway: connection !== '' })
}

/**
 * Hands a packet to the node that owns the session.
 *
 * @returns see {@link receive}
 * @throws CometError OWNER_UNREACHABLE, or what {@link receive} throws
 */
export async function forward(node: Node, incoming: IncomingPacket): Promise<string | undefined> {
  const { sid, packet } = incoming
  try {
    return await requestOwner(node, sid, 'uplink', incoming)
  } catch (error) {
    if (packet.type !== 'BYE' || !isGone(error)) throw error
    await endGrace(node, incoming, packet.connection, error)
    return undefined
  }
}

/** Ends the grace of a session whose client says BYE. @throws what the owner threw, when there is no such session */
async function endGrace(
  node: Node,
  { sid, uid }: IncomingPacket,
  named: string,
  gone: CometError,
): Promise<void> {
  const session = await reach(() => node.presence.locate(sid))
  if (session === undefined || session.connected) throw gone
  if (session.uid !== uid) throw new CometError('NOT_YOUR_SESSION')
  sayHeard(node, uid)
  const { connection } = session
  if (named !== '' && named !== connection) return
  await reach(() => node.presence.disconnect({ uid, sid, connection }, 0))
}

/**
 * Emits HEARD for a user. The hooks are called before it returns. But if a hook calls it, they are called after the
 * event that is being emitted; and with the options `heard: 'record'` and `activity: 'cluster'` when presence tells of it.
 */
export function sayHeard(node: Node, uid: string): void {
  const { activity, heard } = node.options
  if (heard === 'record') {
    if (node.heardTokens.take(uid)) {
      node.presence.heard(uid, now()).catch((error) => node.ports.reportFailure('presence', error))
    }
    if (activity === 'cluster') return
  }
  node.activity.push([new UserActivityEvent({ type: UserActivityEvent.Type.HEARD, uid, time: now() })])
}

async function join(node: Node, session: Session, packet: JoinPacket, info: unknown): Promise<void> {
  const { rid } = packet
  checkId('join.rid', rid, node.options.maxIdBytes)
  if (session.rooms.has(rid)) return
  if (session.rooms.size >= node.options.maxRoomsPerSession) throw new CometError('TOO_MANY_ROOMS')
  if (packet.since !== '') await reachPosition(node, packet.since)
  await authorize(node, session, rid, info)
  // The app may have put it there meanwhile.
  if (session.rooms.has(rid)) return
  // No await between this and entering: no event must fall between the room's past and what follows.
  session.replay(pastOfRoom(node, session, packet))
  if (!(await enterRoom(node, session, rid, 'join'))) throw new CometError('NO_SUCH_SESSION')
}

/**
 * Asks the app whether a session may enter a room. Its yes is void when it took the session or the user out of the room
 * meanwhile.
 *
 * @throws CometError INTERNAL, ROOM_REFUSED, NO_SUCH_SESSION
 */
async function authorize(node: Node, session: Session, rid: string, info: unknown): Promise<void> {
  const { uid } = session
  const watch = node.membershipChanges.watch(uid)
  try {
    const { allowed, failed } = await mayEnter(
      node,
      { uid, info, session: node.registry.infoOf(session) },
      rid,
    )
    if (failed) throw new CometError('INTERNAL', 'canEnter failed.')
    if (!allowed) throw refusal(node, [rid])
    if (session.closed) throw new CometError('NO_SUCH_SESSION')
    if (session.rooms.has(rid)) return
    if (watch.saw(expulsionKey(rid)) || watch.saw(sessionKey(session, rid))) throw expelled(rid)
  } finally {
    watch.end()
  }
}

function expelled(rid: string): CometError {
  return new CometError('ROOM_REFUSED', `The app took the user out of room ${JSON.stringify(rid)} meanwhile.`)
}

/** Leaves a room, or every room when none is named, as JOIN with an empty `rid` does in the protocol. */
async function leave(node: Node, session: Session, rid: string): Promise<void> {
  for (const each of rid === '' ? Array.from(session.rooms.keys()) : [rid])
    await leaveRoom(node, session, each)
}

async function takeMessage(
  node: Node,
  session: Session,
  state: UplinkState,
  { evt, id }: Packet & { readonly type: 'SEND' },
  info: unknown,
): Promise<string | undefined> {
  if (id !== '') checkId('send.id', id, node.options.maxIdBytes)
  if (state.answers.has(id)) return state.answers.get(id)
  const elsewhere = state.runningElsewhere.get(id)
  if (elsewhere !== undefined) {
    const former = await orIfGone(
      requestNode(node, elsewhere, 'answerOf', { sid: session.sid, id }),
      NOT_DONE,
    )
    // Not before: a node that takes over meanwhile must know, too.
    state.forgetRunning(id)
    if (former.isDone) {
      state.remember(id, former.answer)
      return former.answer
    }
    if (session.closed) throw new CometError('NO_SUCH_SESSION')
  }
  const { uid, sid } = session
  const about = info === undefined ? {} : { info }
  const message = { uid, sid, evt, session: node.registry.infoOf(session), ...about }
  const answering = askApp(node, message)
  if (id !== '') state.running = { id, answer: answering }
  try {
    const answer = await answering
    node.hooks.emit('message', message)
    if (id !== '') state.remember(id, answer)
    return answer
  } finally {
    state.running = undefined
  }
}

const NOT_DONE: AnswerOf<'answerOf'> = { isDone: false }

/**
 * Calls `onMessage`.
 *
 * @returns its answer as JSON text
 * @throws a CometError only: other errors are not for clients
 */
async function askApp(node: Node, message: ClientMessage): Promise<string | undefined> {
  try {
    const answer = await node.options.onMessage?.(message)
    return answer === undefined ? undefined : JSON.stringify(answer)
  } catch (cause) {
    if (isClientError(cause)) throw cause
    node.hooks.report(cause)
    throw new CometError('INTERNAL', 'onMessage failed.', { cause })
  }
}
