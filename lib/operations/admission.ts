import { CometError, isCometError } from '../errors.ts'
import type { Hub } from '../node/node.ts'
import type { Admission } from '../ports/presence.ts'
import type { Session } from '../session/session.ts'
import type { Mark, Marked } from '../session/stay-away-token.ts'
import { replaceSession, type Superseded } from './close.ts'
import { askAll, askNode, askOwner } from './cluster-commands.ts'

/**
 * Whether a mark tells that this client was told not to come back. The node that gave the mark knows.
 *
 * One that was replaced may come back when who replaced it is gone: that may have been a request of its own, given up
 * long before it got here.
 */
export async function isKeptAway(
  hub: Hub,
  { text, kind, connection }: Mark,
  { uid, anonymous, clientId }: Marked,
): Promise<boolean> {
  try {
    const marked = { uid, anonymous, clientId }
    const isGenuine = await askOwner(hub, connection, { type: 'verify', mark: text, marked })
    if (isGenuine !== true) return false
    return kind === 'away' || (await askAll(hub, { type: 'serves', marked })).includes(true)
  } catch (error) {
    // That node is gone: nobody can tell, so the client is a newcomer.
    if (isCometError(error)) return false
    throw error
  }
}

/**
 * Makes sure that there is room for one more session, by the limits of the node and of its user.
 *
 * @returns the sessions that are to be ended for it
 * @throws CometError UNAVAILABLE, TOO_MANY_SESSIONS
 */
export function makeRoom(hub: Hub, session: Session): readonly Session[] {
  const { maxSessions, maxSessionsPerUser, onExcess } = hub.options
  const own = Array.from(hub.registry.ofUser(session.uid))
  // One that this session takes over makes room by itself.
  const others = own.filter(({ clientId }) => clientId === undefined || clientId !== session.clientId)
  const excess = others.slice(0, Math.max(0, others.length - maxSessionsPerUser + 1))
  if (excess.length > 0 && onExcess === 'reject') throw new CometError('TOO_MANY_SESSIONS')
  const remaining = hub.registry.sessionCount - own.length + others.length - excess.length
  if (remaining >= maxSessions) throw new CometError('UNAVAILABLE', 'The server is at capacity.')
  return excess
}

/** Whether the host was asked about a client for so long that it has come again meanwhile. */
export function isOvertaken({ registry }: Hub, { uid, clientId, number }: Session): boolean {
  if (clientId === undefined) return false
  for (const other of registry.ofUser(uid)) {
    if (other.clientId === clientId && other.number > number) return true
  }
  return false
}

/**
 * A session that presence has admitted gets the rooms it holds, and the sid and rooms of the one it takes over, which
 * ends if it is not yet gone.
 */
export function admit(hub: Hub, session: Session, { sid, rooms, memberships, former }: Admission): void {
  const { registry } = hub
  const { uid, dismissed } = session
  session.present = true
  session.dismissed = undefined
  if (former !== undefined) supersede(hub, former.node, { sid, connection: former.connection })
  if (session.closed) {
    // Presence knows of it only now, and is told by this sid that it has ended.
    session.sid = sid
    return
  }
  // Presence may have lost sight of a connection: of one whose admission failed on the way back.
  const other = registry.get(sid)
  if (other !== undefined && other !== session) replaceSession(hub, other)
  registry.rename(session, sid)
  hub.uplinks.keep(sid)
  for (const rid of rooms) {
    if (!dismissed?.has(rid)) registry.enter(session, rid)
    // Whether it was left before presence heard of this session or after, nobody knows: it is left, then, for both.
    else hub.presence.leave(session, rid).catch((error) => hub.hooks.report(error))
  }
  for (const rid of memberships) if (!dismissed?.has(rid)) registry.enterUser(uid, rid)
}

function supersede(hub: Hub, node: string, { sid, connection }: Superseded): void {
  const superseded = { sid, connection }
  if (node === hub.id) replaceSession(hub, superseded)
  else askNode(hub, node, { type: 'replace', superseded }).catch((error) => hub.hooks.report(error))
}
