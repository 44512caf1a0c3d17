import type { RestorableSession } from '../ports/presence.ts'
import type { Registry } from '../session/registry.ts'
import type { Session } from '../session/session.ts'

/** Lists the live sessions that presence was told of, for a presence that lost them. */
export function* restorableSessions(registry: Registry): Iterable<RestorableSession> {
  for (const session of registry.all()) {
    if (session.present) yield restorableSession(session, registry.membershipsOf(session.uid))
  }
}

/** @param memberships the rooms of its user's own memberships */
export function restorableSession(session: Session, memberships: Iterable<string>): RestorableSession {
  const { uid, sid, connection, clientId, info, start, requestNumber, rooms } = session
  return {
    uid,
    sid,
    connection,
    clientId,
    info,
    start,
    requestNumber,
    rooms: Array.from(rooms, ([rid, by]) => ({ rid, by })),
    memberships: Array.from(memberships),
  }
}
