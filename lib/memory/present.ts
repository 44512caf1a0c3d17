import type { GrantedBy, Member, PresenceSession, PreviousConnection } from '../ports/presence.ts'
import { SmallSet } from '../util/small-set.ts'
import type { Report } from './presence-step.ts'

/** A session that presence knows, connected or in grace. */
export class PresentSession {
  readonly user: PresentUser
  readonly sid: string
  readonly clientId: string | undefined
  /** The node and the connection that the session is on, where that one started, and its number. A takeover changes them. */
  node: string
  connection: string
  start: string | undefined
  requestNumber: number | undefined
  /** The session's memberships by room. Undefined until it enters its first room. */
  rooms: Map<string, GrantedBy> | undefined
  /** Set while the session is in grace; removes the session when it fires. */
  timer: NodeJS.Timeout | undefined
  /** Who hears the end of its grace. Undefined until its first grace. */
  report: Report | undefined

  constructor(
    user: PresentUser,
    { connection, clientId, start, requestNumber }: PresenceSession,
    node: string,
  ) {
    this.user = user
    this.sid = connection
    this.clientId = clientId
    this.node = node
    this.connection = connection
    this.start = start
    this.requestNumber = requestNumber
  }
}

/** A user's sessions. The other collections are allocated on first use: most users have one session and few rooms. */
export class PresentUser extends SmallSet<PresentSession> {
  readonly uid: string
  info: unknown
  /** Whether `setInfo` was called: the `info` of sessions does not count then. */
  hasOwnInfo = false
  /** The rooms that the user is a member of, apart from its sessions. */
  memberships: Set<string> | undefined
  /**
   * The number of memberships by room, those of the sessions and the user's own. A room is in here exactly while the
   * user is in it.
   */
  membershipCounts: Map<string, number> | undefined
  /** The session of each `clientId`. */
  clients: Map<string, PresentSession> | undefined

  constructor(uid: string) {
    super()
    this.uid = uid
  }
}

/** The users in a room, in the order they entered. A room without users is forgotten. */
export interface PresentRoom {
  readonly users: Set<PresentUser>
  /** The number of its latest change. */
  rev: number
}

/** The user as a member of its rooms. */
export function memberOf({ uid, info }: PresentUser): Member {
  return info === undefined ? { uid } : { uid, info }
}

/** Describes the connection that a session is on, for the one that takes it over. */
export function connectionOf({ node, connection, start, rooms, timer }: PresentSession): PreviousConnection {
  const rids = rooms === undefined ? [] : Array.from(rooms.keys())
  return { node, connection, start, rooms: rids, connected: timer === undefined }
}

/** Tells whether a page made a request before the one by which its session is connected now. */
export function isEarlier(arrival: PresenceSession, { requestNumber, timer }: PresentSession): boolean {
  if (timer !== undefined || arrival.requestNumber === undefined || requestNumber === undefined) return false
  return arrival.requestNumber < requestNumber
}

/** Moves a session to a new connection, and ends its grace. */
export function move(
  session: PresentSession,
  { connection, start, requestNumber }: PresenceSession,
  node: string,
): void {
  clearTimeout(session.timer)
  session.timer = undefined
  session.node = node
  session.connection = connection
  session.start = start
  session.requestNumber = requestNumber
}
