import type {
  Admission,
  GraceTarget,
  GrantedBy,
  LocatedSession,
  MembershipOwner,
  PresenceSession,
  PreviousConnection,
  SessionConnection,
  SessionMembership,
} from '../ports/presence.ts'
import { UserActivityEvent } from '../protocol/user-activity-event.ts'
import { now } from '../util/clock.ts'
import { patientTimeout } from '../util/patient-timeout.ts'
import { SmallSet } from '../util/small-set.ts'

const { ONLINE, OFFLINE, ENTER_ROOM, LEAVE_ROOM } = UserActivityEvent.Type

/** A session that presence knows, connected or in grace. */
class PresentSession {
  readonly user: PresentUser
  readonly sid: string
  readonly clientId: string | undefined
  /** The node and the connection that the session is on, and where that one started. A takeover changes them. */
  node: string
  connection: string
  start: string | undefined
  /** The session's memberships by room. Undefined until it enters its first room. */
  rooms: Map<string, GrantedBy> | undefined
  /** Set while the session is in grace; removes the session when it fires. */
  timer: NodeJS.Timeout | undefined
  /** Who hears the end of its grace. Undefined until its first grace. */
  report: Report | undefined

  constructor(user: PresentUser, { connection, clientId, start }: PresenceSession, node: string) {
    this.user = user
    this.sid = connection
    this.clientId = clientId
    this.node = node
    this.connection = connection
    this.start = start
  }
}

/** A user's sessions. The other collections are allocated on first use: most users have one session and few rooms. */
export class PresentUser extends SmallSet<PresentSession> {
  readonly uid: string
  info: unknown
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

/** Receives the transitions of one step. */
export type Report = (events: readonly UserActivityEvent[]) => void

/**
 * The users, sessions and rooms of one namespace, and the transitions between them.
 *
 * Every method is synchronous, so each is one atomic step. Each calls `report` once, with all transitions of the
 * step, after its last change: a listener that calls back finds the step complete.
 */
export class PresenceState {
  readonly users = new Map<string, PresentUser>()
  readonly rooms = new Map<string, Set<PresentUser>>()
  readonly sessions = new Map<string, PresentSession>()

  /** Adds a session, or moves the one that has the same user and `clientId` to the new connection. */
  connect(
    arrival: PresenceSession,
    rooms: readonly SessionMembership[],
    node: string,
    report: Report,
  ): Admission {
    const { uid, info } = arrival
    const step = new Step(uid)
    const user = this.users.get(uid) ?? new PresentUser(uid)
    if (user.size === 0) {
      this.users.set(uid, user)
      step.add(ONLINE)
    }
    user.info = info
    const known = arrival.clientId === undefined ? undefined : user.clients?.get(arrival.clientId)
    const previous = known && connectionOf(known)
    const session = known ?? this.#add(user, arrival, node)
    if (known !== undefined) move(known, arrival, node)
    for (const { rid, by } of rooms) this.#enter(session, rid, by, step)
    // First: a listener may call back and leave a room, which must not be in the answer then.
    report(step.events)
    return {
      sid: session.sid,
      rooms: session.rooms === undefined ? [] : Array.from(session.rooms, ([rid, by]) => ({ rid, by })),
      memberships: user.memberships === undefined ? [] : Array.from(user.memberships),
      ...(previous === undefined ? {} : { previous }),
    }
  }

  /** Removes a session at once. Idempotent. */
  remove(session: PresentSession, report: Report): void {
    const { user, sid, clientId, rooms } = session
    if (this.sessions.get(sid) !== session) return
    clearTimeout(session.timer)
    this.sessions.delete(sid)
    user.delete(session)
    if (clientId !== undefined) user.clients?.delete(clientId)
    const step = new Step(user.uid)
    for (const rid of rooms?.keys() ?? []) this.#removeMembership(user, rid, step)
    if (user.size === 0) {
      for (const rid of user.memberships ?? []) this.#removeMembership(user, rid, step)
      this.users.delete(user.uid)
      step.add(OFFLINE)
    }
    report(step.events)
  }

  /** Puts a session in grace: removes it after `grace` milliseconds, unless a takeover comes first. */
  removeAfter(session: PresentSession, grace: number, report: Report): void {
    clearTimeout(session.timer)
    session.report = report
    session.timer = patientTimeout(this.#onGraceOver, grace, session)
    session.timer.unref()
  }

  readonly #onGraceOver = (session: PresentSession): void => this.remove(session, session.report as Report)

  /** Adds a membership. @returns false when the owner is not there */
  enter(owner: MembershipOwner, rid: string, by: GrantedBy, report: Report): boolean {
    const step = new Step(owner.uid)
    if (owner.sid === undefined) {
      const user = this.users.get(owner.uid)
      if (user === undefined) return false
      user.memberships ??= new Set()
      if (!user.memberships.has(rid)) this.#addMembership(user, rid, step)
      user.memberships.add(rid)
    } else {
      const session = this.sessionOf(owner)
      if (session === undefined) return false
      this.#enter(session, rid, by, step)
    }
    report(step.events)
    return true
  }

  /** Removes a session's membership, or every membership of a user. @returns false when there was none */
  leave(owner: MembershipOwner, rid: string, report: Report): boolean {
    const user = this.users.get(owner.uid)
    if (user === undefined) return false
    const step = new Step(owner.uid)
    let left = false
    const roomSets =
      owner.sid === undefined
        ? [user.memberships, ...Array.from(user.members, ({ rooms }) => rooms)]
        : [this.sessionOf(owner)?.rooms]
    for (const rooms of roomSets) {
      if (!rooms?.delete(rid)) continue
      this.#removeMembership(user, rid, step)
      left = true
    }
    report(step.events)
    return left
  }

  /** Tells who let the owner into a room. @returns undefined when it is no member */
  membership(owner: MembershipOwner, rid: string): GrantedBy | undefined {
    if (owner.sid !== undefined) return this.sessionOf(owner)?.rooms?.get(rid)
    return this.users.get(owner.uid)?.memberships?.has(rid) ? 'app' : undefined
  }

  /** Finds a session. @returns undefined when it is gone, or is on another connection now */
  sessionOf({ uid, sid, connection }: SessionConnection): PresentSession | undefined {
    const session = this.sessions.get(sid)
    return session?.connection === connection && session.user.uid === uid ? session : undefined
  }

  /** Finds a session by its sid, whatever connection it is on. */
  locate(sid: string): LocatedSession | undefined {
    const session = this.sessions.get(sid)
    if (session === undefined) return undefined
    const { user, node, connection, timer } = session
    return { uid: user.uid, node, connection, connected: timer === undefined }
  }

  /** Finds the sessions in grace that a target names. */
  inGrace(target: GraceTarget): PresentSession[] {
    if ('sid' in target) {
      const session = this.sessions.get(target.sid)
      return session?.timer === undefined ? [] : [session]
    }
    const users = 'uid' in target ? [this.users.get(target.uid)] : (this.rooms.get(target.rid) ?? [])
    const found: PresentSession[] = []
    for (const user of users) {
      for (const session of user?.members ?? []) {
        if (session.timer === undefined) continue
        if ('uid' in target || session.rooms?.has(target.rid) || user?.memberships?.has(target.rid)) {
          found.push(session)
        }
      }
    }
    return found
  }

  #add(user: PresentUser, arrival: PresenceSession, node: string): PresentSession {
    const session = new PresentSession(user, arrival, node)
    const { sid, clientId } = session
    user.add(session)
    this.sessions.set(sid, session)
    if (clientId !== undefined) {
      user.clients ??= new Map()
      user.clients.set(clientId, session)
    }
    return session
  }

  #enter(session: PresentSession, rid: string, by: GrantedBy, step: Step): void {
    session.rooms ??= new Map()
    const known = session.rooms.get(rid)
    if (known !== 'app') session.rooms.set(rid, by)
    if (known === undefined) this.#addMembership(session.user, rid, step)
  }

  #addMembership(user: PresentUser, rid: string, step: Step): void {
    user.membershipCounts ??= new Map()
    const count = user.membershipCounts.get(rid) ?? 0
    user.membershipCounts.set(rid, count + 1)
    if (count > 0) return
    const room = this.rooms.get(rid) ?? new Set()
    this.rooms.set(rid, room.add(user))
    step.add(ENTER_ROOM, rid)
  }

  #removeMembership(user: PresentUser, rid: string, step: Step): void {
    const count = user.membershipCounts?.get(rid) ?? 0
    if (count > 1) {
      user.membershipCounts?.set(rid, count - 1)
      return
    }
    user.membershipCounts?.delete(rid)
    const room = this.rooms.get(rid)
    room?.delete(user)
    if (room?.size === 0) this.rooms.delete(rid)
    step.add(LEAVE_ROOM, rid)
  }
}

function connectionOf({ node, connection, start, rooms, timer }: PresentSession): PreviousConnection {
  const rids = rooms === undefined ? [] : Array.from(rooms.keys())
  return { node, connection, start, rooms: rids, connected: timer === undefined }
}

/** Moves a session to a new connection, and ends its grace. */
function move(session: PresentSession, { connection, start }: PresenceSession, node: string): void {
  clearTimeout(session.timer)
  session.timer = undefined
  session.node = node
  session.connection = connection
  session.start = start
}

/** Collects the transitions of one step. They share one time stamp. */
class Step {
  readonly events: UserActivityEvent[] = []
  readonly #uid: string
  readonly #time = now()

  constructor(uid: string) {
    this.#uid = uid
  }

  add(type: UserActivityEvent.Type, rid?: string): void {
    this.events.push(new UserActivityEvent({ type, uid: this.#uid, rid, time: this.#time }))
  }
}
