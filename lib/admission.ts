import { closeSession, replaceSession } from './close.ts'
import { askNode, askOwner } from './commands.ts'
import { CometError, isCometError } from './errors.ts'
import type { Hub } from './hub.ts'
import { type Marked, sidOfMark } from './marks.ts'
import type { Admission } from './presence.ts'
import type { Session } from './session.ts'

/** Whether a mark tells that this client was told not to come back. The node that gave the mark knows. */
export async function isKeptAway(
  hub: Hub,
  mark: string,
  { uid, anonymous, clientId }: Marked,
): Promise<boolean> {
  try {
    const marked = { uid, anonymous, clientId }
    return (await askOwner(hub, sidOfMark(mark), { type: 'verify', mark, marked })) === true
  } catch (error) {
    // That node is gone: nobody can tell, so the client is a newcomer.
    if (isCometError(error)) return false
    throw error
  }
}

/**
 * Makes room for one more session, by the limits of the node and of its user.
 *
 * @throws CometError UNAVAILABLE, TOO_MANY_SESSIONS
 */
export function makeRoom(hub: Hub, session: Session): void {
  const { maxSessions, maxSessionsPerUser, onExcess } = hub.options
  const own = session.anonymous ? [] : Array.from(hub.registry.ofUser(session.uid))
  // One that this session takes over makes room by itself.
  const others = own.filter(({ clientId }) => clientId === undefined || clientId !== session.clientId)
  const taken = own.length - others.length
  if (hub.registry.sessionCount - taken >= maxSessions)
    throw new CometError('UNAVAILABLE', 'The server is at capacity.')
  if (others.length < maxSessionsPerUser) return
  if (onExcess === 'reject') throw new CometError('TOO_MANY_SESSIONS')
  for (const oldest of others.slice(0, others.length - maxSessionsPerUser + 1)) {
    closeSession(hub, oldest, { code: 'EVICTED' })
  }
}

/** A session takes over the sid and rooms of an earlier one with the same clientId, which ends if it is not yet gone. */
export function takeOver(hub: Hub, session: Session, { sid, rooms, former }: Admission): void {
  if (former === hub.id) replaceSession(hub, sid)
  hub.registry.rename(session, sid)
  for (const rid of rooms) hub.registry.enter(session, rid)
  if (former === undefined || former === hub.id) return
  askNode(hub, former, { type: 'replace', sid }).catch((error) => hub.hooks.report(error))
}
