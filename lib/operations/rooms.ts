import { CometError, isClientError } from '../errors.ts'
import type { SessionInfo } from '../hooks/session-info.ts'
import type { Node } from '../node/node.ts'
import type { GrantedBy, MembershipAnswer } from '../ports/presence.ts'
import { expulsionKey, sessionKey, userKey } from '../session/membership-changes.ts'
import type { Session } from '../session/session.ts'
import { reach, requestNodes, tellAll } from './cluster-calls.ts'

// Two stores know who is in a room: presence decides, and routing (the Registry) follows it. On one node presence's
// steps have the order of the calls, so routing changes in the step that calls presence; an answer changes it only
// where no later call of this node was about the same membership (MembershipChanges). What another node changed, a
// command announces; this node then asks presence, in the order of its own calls.

/** What `canEnter` said of one room. */
interface Permission {
  readonly allowed: boolean
  /** `canEnter` threw something other than a CometError: the client may try again. */
  readonly failed: boolean
}

/** The client that asks to enter a room. Without the session itself: an app that never answers must not hold it. */
export interface Applicant {
  readonly uid: string
  readonly info: unknown
  readonly session: SessionInfo
}

/** Asks `canEnter` whether a client may enter a room. Without it, or when it throws, the room stays closed. */
export async function mayEnter(
  { options: { canEnter }, hooks }: Pick<Node, 'options' | 'hooks'>,
  { uid, info, session }: Applicant,
  rid: string,
): Promise<Permission> {
  if (canEnter === undefined) return { allowed: false, failed: false }
  try {
    const request = { uid, rid, session, ...(info === undefined ? {} : { info }) }
    return { allowed: (await canEnter(request)) === true, failed: false }
  } catch (error) {
    // One about what the app did, such as a wrong call of Comet, is no answer.
    if (isClientError(error)) return { allowed: false, failed: false }
    hooks.report(error)
    return { allowed: false, failed: true }
  }
}

/**
 * Asks `canEnter` about several rooms of a request for a stream.
 *
 * @returns the rooms that the client may enter
 * @throws CometError UNAVAILABLE when it failed: admitted without the room, the client would miss its events and not
 *   know, and a 403 would stop EventSource for good, which only a real no should do
 */
export async function mayEnterAll(
  node: Pick<Node, 'options' | 'hooks'>,
  applicant: Applicant,
  rids: readonly string[],
): Promise<readonly string[]> {
  const answers = await Promise.all(rids.map((rid) => mayEnter(node, applicant, rid)))
  if (answers.some(({ failed }) => failed)) throw new CometError('UNAVAILABLE', 'canEnter failed.')
  return rids.filter((_, at) => answers[at]?.allowed)
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
 * @returns false when the session is gone, or on another connection now
 * @throws CometError UNAVAILABLE when presence fails; the session is not in the room then
 */
export async function enterRoom(node: Node, session: Session, rid: string, by: GrantedBy): Promise<boolean> {
  if (session.closed) return false
  const wasIn = session.rooms.has(rid)
  route(node, session, rid, by)
  if (session.anonymous) return true
  const watch = node.membershipChanges.watch(session.uid)
  const undo = () => {
    if (wasIn || watch.saw(sessionKey(session, rid)) || watch.saw(expulsionKey(rid))) return false
    node.registry.leave(session, rid)
    return true
  }
  try {
    const { done } = await reach(() => node.presence.enter(session, rid, by))
    if (!done) undo()
    return done
  } catch (error) {
    // Presence may have taken it before it failed.
    if (undo())
      node.presence.leave(session, rid).catch((failure) => node.ports.reportFailure('presence', failure))
    throw error
  } finally {
    watch.end()
  }
}

/**
 * Takes a session of this node out of a room.
 *
 * @returns false when the session itself was not in the room
 * @throws CometError NO_SUCH_SESSION when it is on another connection now, which is still in the room; UNAVAILABLE
 */
export async function leaveRoom(node: Node, session: Session, rid: string): Promise<boolean> {
  const wasIn = unroute(node, session, rid)
  if (session.anonymous) return wasIn
  const leave = () => reach(() => node.presence.leave(session, rid))
  try {
    if ((await leave()).done) return true
  } catch (error) {
    // The session is not routed any more: presence follows.
    node.postponed.add(`left\0${session.connection}\0${rid}`, async () => {
      if (!session.closed && !session.rooms.has(rid)) await leave()
    })
    throw error
  }
  if (wasIn && !(await isCurrent(node, session))) throw new CometError('NO_SUCH_SESSION')
  return false
}

/** Makes a user a member of a room on all nodes. @returns false when the user is not online */
export async function enterUser(node: Node, uid: string, rid: string): Promise<boolean> {
  const { registry, membershipChanges } = node
  // What the app has published comes first, whether it awaited that or not.
  const published = node.broker.published()
  if (published !== undefined) await published
  const wasIn = registry.isMember(uid, rid)
  registry.enterUser(uid, rid)
  membershipChanges.note(uid, userKey(rid))
  const watch = membershipChanges.watch(uid)
  let answer: MembershipAnswer | undefined
  try {
    answer = await reach(() => node.presence.enter({ uid }, rid, 'app'))
  } catch (error) {
    // Presence may have taken it before it failed: then the user is in the room, and the nodes must know.
    node.postponed.add(`entered\0${uid}\0${rid}`, () => tellAll(node, 'enterUser', { uid, rid }))
    throw error
  } finally {
    if (!answer?.done && !wasIn && !watch.saw(userKey(rid))) registry.endMembership(uid, rid)
    watch.end()
  }
  if (answer.done) {
    await Promise.all([
      // For a node that cannot be reached now, and has sessions of the user again later.
      tellAll(node, 'enterUser', { uid, rid }),
      requestNodes(node, othersOf(node, answer.nodes), 'enterUser', { uid, rid }),
    ])
  }
  return answer.done
}

/** Tells all nodes of a user's membership that presence has got back. */
export function announceMembership(node: Node, uid: string, rid: string): void {
  tellAll(node, 'enterUser', { uid, rid }).catch((error) => node.ports.reportFailure('controller', error))
}

/** Takes a user and all its sessions out of a room on all nodes. @returns false when it was not in the room */
export async function leaveUser(node: Node, uid: string, rid: string): Promise<boolean> {
  const { registry, membershipChanges } = node
  // What the app has published comes first, whether it awaited that or not.
  const published = node.broker.published()
  if (published !== undefined) await published
  // At once: what the app publishes right after must not reach the user.
  registry.leaveUser(uid, rid)
  membershipChanges.note(uid, userKey(rid))
  membershipChanges.note(uid, expulsionKey(rid))
  for (const session of registry.ofUser(uid)) membershipChanges.note(uid, sessionKey(session, rid))
  let answer: MembershipAnswer
  try {
    answer = await reach(() => node.presence.leave({ uid }, rid))
  } catch (error) {
    // Presence may have taken it before it failed, or not. This node has changed its routing already.
    node.postponed.add(`left\0${uid}\0${rid}`, async () => {
      await Promise.all([tellAll(node, 'voidGrants', { uid, rid }), followExpulsion(node, uid, rid)])
    })
    throw error
  }
  const { done, nodes } = answer
  await Promise.all([
    tellAll(node, 'voidGrants', { uid, rid }),
    requestNodes(node, othersOf(node, nodes), 'leaveUser', { uid, rid }),
  ])
  return done
}

function othersOf({ id }: Node, nodes: readonly string[]): string[] {
  return nodes.filter((node) => node !== id)
}

/** Another node changed a user's own membership. Only presence knows what came last. */
export async function followUser({ registry, membershipChanges, presence }: Node, uid: string, rid: string) {
  if (!registry.hasUser(uid)) return
  const watch = membershipChanges.watch(uid)
  try {
    const isMember = (await reach(() => presence.membership({ uid }, rid))) !== undefined
    if (!watch.claim(userKey(rid))) return
    if (isMember) registry.enterUser(uid, rid)
    else registry.endMembership(uid, rid)
  } finally {
    watch.end()
  }
}

/** Another node took a user out of a room. */
export async function followExpulsion(node: Node, uid: string, rid: string): Promise<void> {
  node.membershipChanges.note(uid, expulsionKey(rid))
  const sessions = Array.from(node.registry.ofUser(uid))
  await Promise.all([
    followUser(node, uid, rid),
    ...sessions.map((session) => followSession(node, session, rid)),
  ])
}

/**
 * A user was taken out of a room by some node. What `canEnter` has allowed before does not count any more. Routing
 * follows presence, in case that this node could not be reached when it happened.
 */
export async function followLeave(node: Node, uid: string, rid: string): Promise<void> {
  node.membershipChanges.note(uid, expulsionKey(rid))
  const sessions = Array.from(node.registry.ofUser(uid))
  await Promise.all([followUser(node, uid, rid), ...sessions.map((session) => endIfLeft(node, session, rid))])
}

/** Ends the routing of a room to a session that presence does not have in it. */
async function endIfLeft(node: Node, session: Session, rid: string): Promise<void> {
  if (!session.present || !session.rooms.has(rid)) return
  const watch = node.membershipChanges.watch(session.uid)
  try {
    const by = await reach(() => node.presence.membership(session, rid))
    if (by === undefined && !session.closed && watch.claim(sessionKey(session, rid)))
      node.registry.leave(session, rid)
  } finally {
    watch.end()
  }
}

/**
 * Settles whether a session is in a room that its user was taken out of, or was put into again since: presence knows.
 * The client's own entries do not count, because `canEnter` may have allowed them before the user was taken out.
 */
export async function followSession(node: Node, session: Session, rid: string): Promise<void> {
  if (session.anonymous) {
    unroute(node, session, rid)
    return
  }
  // Presence does not know it yet. Its admission settles it.
  if (!session.present) return
  const watch = node.membershipChanges.watch(session.uid)
  try {
    const by = await reach(() => node.presence.membership(session, rid))
    if (session.closed || !watch.claim(sessionKey(session, rid))) return
    if (by === 'app' || by === 'identity') node.registry.enter(session, rid, by)
    else if (by === undefined) node.registry.leave(session, rid)
    else await leaveRoom(node, session, rid)
  } finally {
    watch.end()
  }
}

function route({ registry, membershipChanges }: Node, session: Session, rid: string, by: GrantedBy): void {
  registry.enter(session, rid, by)
  membershipChanges.note(session.uid, sessionKey(session, rid))
}

function unroute({ registry, membershipChanges }: Node, session: Session, rid: string): boolean {
  membershipChanges.note(session.uid, sessionKey(session, rid))
  return registry.leave(session, rid)
}

async function isCurrent({ presence }: Node, { sid, connection }: Session): Promise<boolean> {
  return (await reach(() => presence.locate(sid)))?.connection === connection
}
