import type { Node } from '../node/node.ts'
import type { Admission, GrantedBy, SessionMembership } from '../ports/presence.ts'
import { expulsionKey, sessionKey, userKey, type Watch } from '../session/membership-changes.ts'
import type { Newcomer } from '../session/newcomers.ts'
import type { Session } from '../session/session.ts'
import { closeTakenOver } from './close.ts'
import { isGone } from './cluster-calls.ts'
import { takeOverUplinks } from './hand-over.ts'
import { followSession, leaveRoom, mayEnterAll } from './rooms.ts'

/** The rooms of a request, by who let the session in. */
export interface GrantedRooms {
  /** Those that `identify` named. */
  readonly identity: readonly string[]
  /** Those that the client asked for by URL, and `canEnter` allowed. */
  readonly url: readonly string[]
  /** Those that the client asked for, and may not enter. */
  readonly refused: readonly string[]
}

/**
 * Applies presence's answer to a session: on a takeover the sid of the previous connection, which is closed; and the
 * memberships of its user.
 *
 * @param watch made before presence was asked: what was changed since counts more than the answer
 */
export function applyAdmission(node: Node, session: Session, admission: Admission, watch: Watch): void {
  const { sid, memberships, previous } = admission
  const { registry } = node
  const { uid } = session
  session.present = true
  // Here in the same step: until it is closed, the session would get every event twice.
  if (previous?.connected && previous.node === node.id)
    closeTakenOver(node, { sid, connection: previous.connection })
  // Presence may not know of a connection whose own admission failed on its way back.
  const other = registry.get(sid)
  if (!session.closed && other !== undefined && other !== session) closeTakenOver(node, other)
  if (session.closed) {
    // It ended before presence answered, or by a hook that heard of these ends. The caller tells presence so, by this
    // sid.
    session.sid = sid
    if (previous !== undefined) takeOverUplinks(node, session, sid, previous)
    node.uplinkStates.release(sid, node.options.offlineGrace)
    return
  }
  if (previous !== undefined) takeOverUplinks(node, session, sid, previous)
  registry.rename(session, sid)
  node.uplinkStates.keep(sid)
  const former = Array.from(registry.membershipsOf(uid))
  for (const rid of former) {
    if (!memberships.includes(rid) && watch.claim(userKey(rid))) registry.endMembership(uid, rid)
  }
  for (const rid of memberships) if (watch.claim(userKey(rid))) registry.enterUser(uid, rid)
}

/** What a request brought, for {@link settleRooms}. */
export interface Arrival {
  readonly newcomer: Newcomer
  /** The `info` of its identity. */
  readonly info: unknown
  readonly granted: GrantedRooms
  /** Made before presence was asked. */
  readonly watch: Watch
}

/**
 * Settles the rooms that presence answered. Those of the request are routed already. Of those that the session brings
 * from its previous connection, `identify` must have named its own again, `canEnter` must say yes again where the
 * client had asked, and the app's stay.
 *
 * @returns the rooms that the session left
 * @throws CometError UNAVAILABLE when `canEnter` fails
 */
export async function settleRooms(
  node: Node,
  { newcomer, info, granted, watch }: Arrival,
  rooms: readonly SessionMembership[],
): Promise<readonly string[]> {
  const { session } = newcomer
  const named = new Set([...granted.identity, ...granted.url])
  const expelled: string[] = []
  const asked = new Map<string, GrantedBy>()
  const left: string[] = []
  for (const { rid, by } of rooms) {
    if (watch.saw(expulsionKey(rid))) expelled.push(rid)
    else if (by === 'app') node.registry.enter(session, rid, by)
    else if (named.has(rid)) continue
    else if (by === 'identity' || granted.refused.includes(rid)) left.push(rid)
    else asked.set(rid, by)
  }
  // Only presence knows whether the user left before it heard of this session, or after.
  for (const rid of expelled) await followSession(node, session, rid)
  if (asked.size > 0) {
    const applicant = { uid: session.uid, info, session: node.registry.infoOf(session) }
    const allowed = (await newcomer.until(mayEnterAll(node, applicant, [...asked.keys()]))) ?? []
    // Its memberships stay for the grace, in which it may come back and be asked about again.
    if (session.closed) return []
    for (const [rid, by] of asked) {
      const isVoid = watch.saw(expulsionKey(rid)) || watch.saw(sessionKey(session, rid))
      if (allowed.includes(rid) && !isVoid) node.registry.enter(session, rid, by)
      else left.push(rid)
    }
  }
  for (const rid of left) await leaveAgain(node, session, rid)
  return left
}

/**
 * Takes a session that has too many rooms, its own and those of the session it took over, out of the last of those
 * that it asked for.
 *
 * @returns the rooms that it left
 */
export async function limitRooms(
  node: Node,
  { newcomer: { session }, granted }: Arrival,
  rooms: readonly SessionMembership[],
): Promise<readonly string[]> {
  const { maxRoomsPerSession } = node.options
  if (session.rooms.size <= maxRoomsPerSession) return []
  const inOrder = rooms.map(({ rid }) => rid).filter((rid) => session.rooms.has(rid))
  const tooMany = inOrder.slice(maxRoomsPerSession).filter((rid) => granted.url.includes(rid))
  for (const rid of tooMany) await leaveAgain(node, session, rid)
  return tooMany
}

/** Takes a session out of a room for which nobody waits. One that was taken over meanwhile settles its rooms itself. */
async function leaveAgain(node: Node, session: Session, rid: string): Promise<void> {
  try {
    await leaveRoom(node, session, rid)
  } catch (error) {
    if (!isGone(error)) node.ports.reportFailure('presence', error)
  }
}
