import { CometError, isClientError } from '../errors.ts'
import type { Node } from '../node/node.ts'
import type { Session } from '../session/session.ts'
import { requestAll } from './cluster-calls.ts'

/** What `canEnter` said of one room. */
interface Permission {
  readonly allowed: boolean
  /** `canEnter` threw something other than a CometError: the client may try again. */
  readonly failed: boolean
}

/** Asks `canEnter` whether a client may enter a room. Without it, or when it throws, the room stays closed. */
export async function mayEnter(
  node: Node,
  session: Session,
  rid: string,
  info: unknown,
): Promise<Permission> {
  const { canEnter } = node.options
  if (canEnter === undefined) return { allowed: false, failed: false }
  const { uid } = session
  try {
    const request = { uid, rid, session: session.toInfo(), ...(info === undefined ? {} : { info }) }
    return { allowed: (await canEnter(request)) === true, failed: false }
  } catch (error) {
    // One about what the app did, such as a wrong call of Comet, is no answer.
    if (isClientError(error)) return { allowed: false, failed: false }
    node.hooks.report(error)
    return { allowed: false, failed: true }
  }
}

/** Makes the error for rooms that may not be entered. It names the option when that is the reason. */
export function refusal(node: Node, rids: readonly string[]): CometError {
  const why =
    node.options.canEnter === undefined ? 'there is no option canEnter to allow it' : 'canEnter said no'
  return new CometError(
    'ROOM_REFUSED',
    `May not enter ${rids.map((rid) => JSON.stringify(rid)).join(', ')}: ${why}.`,
  )
}

/**
 * Puts a session of this node into a room, for the app or the client.
 *
 * @returns false when the session is gone
 * @throws CometError UNAVAILABLE when presence fails; the session is not in the room then
 */
export async function enterRoom(node: Node, session: Session, rid: string): Promise<boolean> {
  if (session.closed) return false
  if (session.rooms.has(rid)) return true
  // Routing first, in the same step: presence may take its time, and a leave that comes meanwhile must find it.
  node.registry.enter(session, rid)
  if (session.anonymous) return true
  try {
    const entered = await node.presence.enter(session, rid)
    if (!entered) node.registry.leave(session, rid)
    return entered
  } catch (cause) {
    node.registry.leave(session, rid)
    throw new CometError('UNAVAILABLE', 'Presence could not be reached.', { cause })
  }
}

/**
 * Takes a session of this node out of a room.
 *
 * @returns false when the session itself was not in the room
 * @throws CometError NO_SUCH_SESSION when it is on another connection now, which is still in the room
 */
export async function leaveRoom(node: Node, session: Session, rid: string): Promise<boolean> {
  if (!node.registry.leave(session, rid)) return false
  if (session.anonymous || (await node.presence.leave(session, rid))) return true
  throw new CometError('NO_SUCH_SESSION')
}

/** Makes a user a member of a room on all nodes. @returns false when the user is not online */
export async function enterUser(node: Node, uid: string, rid: string): Promise<boolean> {
  if (!(await node.presence.enter({ uid }, rid))) return false
  await requestAll(node, 'enterUser', { uid, rid })
  return true
}

/** Takes a user and all its sessions out of a room on all nodes. @returns false when it was not in the room */
export async function leaveUser(node: Node, uid: string, rid: string): Promise<boolean> {
  // Here at once: what the app publishes right after must not reach the user. Elsewhere after presence, which until
  // then may tell a session that is just admitted to enter the room.
  node.registry.leaveUser(uid, rid)
  const left = await node.presence.leave({ uid }, rid)
  await requestAll(node, 'leaveUser', { uid, rid })
  return left
}
