import { CometError, isCometError } from '../errors.ts'
import type { Node } from '../node/node.ts'
import type { Admission } from '../ports/presence.ts'
import type { Session } from '../session/session.ts'
import type { StayAwayClient, StayAwayToken } from '../session/stay-away-token.ts'
import { closeTakenOver } from './close.ts'
import { requestAll, requestIssuer, requestNode } from './cluster-calls.ts'
import type { TakenOver } from './cluster-commands.ts'

/**
 * Tells whether a client that brings a stay-away token must stay away. The node that issued the token verifies it.
 *
 * After a takeover it must stay away only while the connection that took over is there: that may have been a request of
 * the client's own, given up long before it arrived.
 */
export async function mustStayAway(
  node: Node,
  { text, kind, connection }: StayAwayToken,
  { uid, anonymous, clientId }: StayAwayClient,
): Promise<boolean> {
  try {
    const client = { uid, anonymous, clientId }
    if (!(await requestIssuer(node, connection, 'verify', { token: text, client }))) return false
    return kind === 'away' || (await requestAll(node, 'serves', { client })).includes(true)
  } catch (error) {
    // The issuing node is gone. Nobody can verify the token, so the client is a newcomer.
    if (isCometError(error)) return false
    throw error
  }
}

/**
 * Makes room for one more session, by the limits of its user and of the node.
 *
 * @returns the user's oldest sessions, which must be closed for it
 * @throws CometError TOO_MANY_SESSIONS, UNAVAILABLE
 */
export function enforceSessionLimits(node: Node, session: Session): readonly Session[] {
  const { maxSessions, maxSessionsPerUser, onExcess } = node.options
  const own = Array.from(node.registry.ofUser(session.uid))
  // A session that this one takes over makes room by itself.
  const others = own.filter(({ clientId }) => clientId === undefined || clientId !== session.clientId)
  const excess = others.slice(0, Math.max(0, others.length - maxSessionsPerUser + 1))
  if (excess.length > 0 && onExcess === 'reject') throw new CometError('TOO_MANY_SESSIONS')
  const remaining = node.registry.sessionCount - own.length + others.length - excess.length
  if (remaining >= maxSessions) throw new CometError('UNAVAILABLE', 'The server is at capacity.')
  return excess
}

/** Tells whether a later connection of the same client was registered while the app was asked about this one. */
export function wasTakenOver({ registry }: Node, { uid, clientId, number }: Session): boolean {
  if (clientId === undefined) return false
  for (const other of registry.ofUser(uid)) {
    if (other.clientId === clientId && other.number > number) return true
  }
  return false
}

/**
 * Applies presence's answer to a session: its rooms, and on a takeover the sid of the previous connection, which is
 * closed.
 */
export function applyAdmission(node: Node, session: Session, admission: Admission): void {
  const { sid, rooms, memberships, previous } = admission
  const { registry } = node
  const { uid, dismissed } = session
  session.present = true
  session.dismissed = undefined
  if (previous !== undefined) closePrevious(node, previous.node, { sid, connection: previous.connection })
  if (session.closed) {
    // It ended before presence answered. The caller tells presence so, by this sid.
    session.sid = sid
    return
  }
  // Presence may not know of a connection whose own admission failed on its way back.
  const other = registry.get(sid)
  if (other !== undefined && other !== session) closeTakenOver(node, other)
  registry.rename(session, sid)
  node.uplinkStates.keep(sid)
  for (const rid of rooms) {
    if (!dismissed?.has(rid)) registry.enter(session, rid)
    // The user left the room before or after presence heard of this session; nobody can tell. Left is the safe answer.
    else node.presence.leave(session, rid).catch((error) => node.hooks.report(error))
  }
  for (const rid of memberships) if (!dismissed?.has(rid)) registry.enterUser(uid, rid)
}

function closePrevious(node: Node, nodeId: string, previous: TakenOver): void {
  // Here in the same step: until it is closed, the session would get every event twice.
  if (nodeId === node.id) closeTakenOver(node, previous)
  else {
    requestNode(node, nodeId, 'closeTakenOver', previous).catch((error) => node.hooks.report(error))
  }
}
