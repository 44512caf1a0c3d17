import { closeSession } from './close.ts'
import { CometError } from './errors.ts'
import type { Hub } from './hub.ts'
import { checkIdentity, type Identified } from './identity.ts'
import { checkId, newSid } from './ids.ts'
import { mayEnter, refusal } from './rooms.ts'
import { Session } from './session.ts'
import { encodeControl } from './sse.ts'
import type { Transport } from './transport.ts'

/** A client that asks for a stream. */
export interface ConnectRequest {
  /** Who it is, as `identify` answered. */
  readonly identity: Identified
  readonly transport: Transport
  /** The rooms it asks to enter. Default: none. */
  readonly rids?: readonly string[]
  /** What the page calls itself. */
  readonly clientId?: string
}

/**
 * Admits a client: ONLINE and ENTER_ROOM are out, then the stream begins with `comet.ready`. When the client goes
 * away meanwhile, nothing of it is left.
 *
 * @returns settles when the stream has begun, or need not begin any more
 * @throws CometError when the client is not admitted; the transport is untouched then
 */
export async function connect(hub: Hub, request: ConnectRequest): Promise<void> {
  const { maxIdBytes, heartbeatInterval } = hub.options
  const identity = checkIdentity(request.identity, maxIdBytes)
  const { transport } = request
  const asked = new Set((request.rids ?? []).map((rid) => checkId('rid', rid, maxIdBytes)))
  const clientId =
    request.clientId === undefined ? undefined : checkId('clientId', request.clientId, maxIdBytes)
  if (hub.closing) throw new CometError('SHUTTING_DOWN')

  const session = new Session(newSid(hub.id), identity, transport, hub.flusher, clientId)
  const { entered, refused } = await ask(hub, session, asked, identity.info)
  if (transport.closed) return
  if (hub.closing) throw new CometError('SHUTTING_DOWN')

  // From here on events are kept for the session, and whatever ends it takes the one close path.
  const rooms = new Set([...identity.rooms, ...entered])
  const position = hub.broker.position()
  hub.registry.add(session)
  for (const rid of rooms) hub.registry.enter(session, rid)
  hub.counters.connections += 1
  transport.onClose(() => closeSession(hub, session, { code: 'GONE' }))
  await announce(hub, session, identity.info)
  if (session.closed) return

  const ready = {
    sid: session.sid,
    uid: session.uid,
    rooms: Array.from(hub.registry.roomsOf(session)),
    refused,
    recovered: false,
    heartbeat: heartbeatInterval,
  }
  session.open(encodeControl('ready', ready, { id: position, retry: hub.retry() }))
  hub.heartbeat.add(session)
}

/** Asks `canEnter` for each room. */
async function ask(hub: Hub, session: Session, rids: ReadonlySet<string>, info: unknown) {
  if (rids.size === 0) return { entered: [], refused: [] }
  const answers = await Promise.all(
    Array.from(rids, async (rid) => ({ rid, ...(await mayEnter(hub, session, rid, info)) })),
  )
  const entered = answers.filter(({ allowed }) => allowed).map(({ rid }) => rid)
  const refused = answers.filter(({ allowed }) => !allowed).map(({ rid }) => rid)
  if (entered.length === 0) {
    // A 403 would stop EventSource for good, which only a real no should do.
    if (answers.some(({ failed }) => failed)) throw new CometError('UNAVAILABLE', 'canEnter failed.')
    throw refusal(hub, refused)
  }
  return { entered, refused }
}

/** Tells presence. A user's membership of rooms comes back, which puts the session there too. */
async function announce(hub: Hub, session: Session, info: unknown): Promise<void> {
  if (session.anonymous) return
  const { uid, sid } = session
  try {
    const known = { uid, sid, ...(info === undefined ? {} : { info }) }
    const memberships = await hub.presence.connect(known, Array.from(session.rooms))
    for (const rid of memberships) hub.registry.enterUser(uid, rid)
  } catch (cause) {
    await closeSession(hub, session, { code: 'GONE' })
    hub.hooks.report(cause)
    throw new CometError('UNAVAILABLE', 'Presence could not be reached.', { cause })
  }
}
