import { CometError, isCometError } from '../errors.ts'
import { checkId } from '../ids.ts'
import type { Hub } from '../node/node.ts'
import type { Packet } from '../protocol/packet.ts'
import { UserActivityEvent } from '../protocol/user-activity-event.ts'
import type { Session } from '../session/session.ts'
import type { UplinkState } from '../session/uplink-state.ts'
import { note, type Owed } from '../stream/replay.ts'
import { encodeGap } from '../stream/sse.ts'
import { now } from '../util/clock.ts'
import { closeSession } from './close.ts'
import { enterRoom, leaveRoom, mayEnter, pastOf, recentOf, refusal } from './rooms.ts'

/** A packet that came in, with the identity of the request that brought it. */
export interface Uplink {
  readonly sid: string
  readonly uid: string
  readonly anonymous: boolean
  readonly info?: unknown
  readonly packet: Packet
}

/**
 * Handles a packet on the node that owns the session, after those that came before it.
 *
 * @returns the answer as JSON, or undefined
 * @throws CometError NO_SUCH_SESSION, NOT_YOUR_SESSION, TOO_MANY_PACKETS, ROOM_REFUSED, or what `onMessage` threw
 */
export async function receive(hub: Hub, uplink: Uplink): Promise<string | undefined> {
  const session = hub.registry.get(uplink.sid)
  if (session === undefined) throw new CometError('NO_SUCH_SESSION')
  // Whoever knows the sid of an anonymous session is its client: nobody else is told.
  const own = session.anonymous ? uplink.anonymous : session.uid === uplink.uid
  if (!own) throw new CometError('NOT_YOUR_SESSION')
  const { uplinkRate } = hub.options
  const state = hub.uplinks.of(session.sid)
  if (!state.take(uplinkRate)) throw new CometError('TOO_MANY_PACKETS')
  // These must not wait for a host that thinks: silent clients are closed, and who is gone is gone.
  const { type } = uplink.packet
  if (type === 'HB' || type === 'BYE') return await handle(hub, session, state, uplink)
  return await state.enqueue(() => handle(hub, session, state, uplink), 2 * uplinkRate)
}

async function handle(
  hub: Hub,
  session: Session,
  state: UplinkState,
  { packet, info }: Uplink,
): Promise<string | undefined> {
  if (session.closed) throw new CometError('NO_SUCH_SESSION')
  hub.counters.packets += 1
  hub.upkeep.heard(session)
  if (!session.anonymous) heard(hub, session.uid)
  switch (packet.type) {
    case 'HB':
      return undefined
    case 'BYE':
      await closeSession(hub, session, { code: 'BYE' })
      return undefined
    case 'SEND':
      return await takeMessage(hub, session, state, packet)
    case 'LEAVE':
      await leave(hub, session, packet.rid)
      return undefined
    case 'JOIN':
      if (packet.rid === '') await leave(hub, session, '')
      else await join(hub, session, packet, info)
      return undefined
  }
}

/** The user was heard: HEARD is out when this returns. */
export function heard(hub: Hub, uid: string): void {
  hub.activity.push([new UserActivityEvent({ type: UserActivityEvent.Type.HEARD, uid, time: now() })])
}

async function join(
  hub: Hub,
  session: Session,
  packet: Packet & { type: 'JOIN' },
  info: unknown,
): Promise<void> {
  const { rid } = packet
  checkId('join.rid', rid, hub.options.maxIdBytes)
  if (session.rooms.has(rid)) return
  if (session.rooms.size >= hub.options.maxRoomsPerSession) throw new CometError('TOO_MANY_ROOMS')
  const { allowed, failed } = await mayEnter(hub, session, rid, info)
  if (failed) throw new CometError('INTERNAL', 'canEnter failed.')
  if (!allowed) throw refusal(hub, [rid])
  if (session.closed) throw new CometError('NO_SUCH_SESSION')
  // In one step with entering: nothing is missed between what the room was sent and what it will be.
  session.recall(historyOf(hub, session, packet))
  if (!(await enterRoom(hub, session, rid))) throw new CometError('NO_SUCH_SESSION')
}

/** What a JOIN asked to be told of the room's past: since a position, or its last events. */
function historyOf(hub: Hub, session: Session, { rid, since, recent }: Packet & { type: 'JOIN' }): Owed[] {
  if (since === '') return recentOf(hub, session, [rid], recent)
  const { events, gaps } = hub.backlog.since(since, [{ rid }])
  const past = pastOf(session, events)
  if (gaps.length === 0) return past
  return [note(encodeGap(gaps), { rid }), ...past]
}

/** Leaves a room, or as the seed has it every room when none is named. */
async function leave(hub: Hub, session: Session, rid: string): Promise<void> {
  for (const each of rid === '' ? Array.from(session.rooms) : [rid]) await leaveRoom(hub, session, each)
}

async function takeMessage(
  hub: Hub,
  session: Session,
  state: UplinkState,
  { evt, id }: Packet & { type: 'SEND' },
): Promise<string | undefined> {
  if (id !== '') checkId('send.id', id, hub.options.maxIdBytes)
  if (state.answers.has(id)) return state.answers.get(id)
  const { uid, sid } = session
  const message = { uid, sid, evt }
  const answer = await ask(hub, message)
  hub.hooks.emit('message', message)
  if (id !== '') state.remember(id, answer)
  return answer
}

/** What `onMessage` answers, as JSON. Only a CometError it throws is for the client to see. */
async function ask(
  hub: Hub,
  message: { uid: string; sid: string; evt: string },
): Promise<string | undefined> {
  try {
    const answer = await hub.options.onMessage?.(message)
    return answer === undefined ? undefined : JSON.stringify(answer)
  } catch (cause) {
    if (isCometError(cause)) throw cause
    hub.hooks.report(cause)
    throw new CometError('INTERNAL', 'onMessage failed.', { cause })
  }
}
