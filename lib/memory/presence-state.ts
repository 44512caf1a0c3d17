import { randomBytes } from 'node:crypto'
import type {
  Admission,
  GraceTarget,
  GrantedBy,
  LocatedSession,
  Member,
  MembershipAnswer,
  MembershipOwner,
  PresenceSession,
  RoomChange,
  SessionConnection,
  SessionMembership,
} from '../ports/presence.ts'
import { UserActivityEvent } from '../protocol/user-activity-event.ts'
import { patientTimeout } from '../util/patient-timeout.ts'
import { type Report, Step } from './presence-step.ts'
import {
  connectionOf,
  isEarlier,
  memberOf,
  move,
  type PresentRoom,
  PresentSession,
  PresentUser,
} from './present.ts'

const { ONLINE, OFFLINE, ENTER_ROOM, LEAVE_ROOM } = UserActivityEvent.Type

const NOT_DONE: MembershipAnswer = { done: false, nodes: [] }

/**
 * The users, sessions and rooms of one namespace, and the transitions between them.
 *
 * Every method is synchronous, so each is one atomic step. Each calls `report` once, with all changes of the step, after
 * its last change: a listener that calls back finds the step complete.
 */
export class PresenceState {
  readonly users = new Map<string, PresentUser>()
  readonly rooms = new Map<string, PresentRoom>()
  readonly sessions = new Map<string, PresentSession>()
  readonly #isWatched: (rid: string) => boolean
  /** The first part of every revision. */
  readonly #epoch = randomBytes(6).toString('base64url')
  /** The number of the latest change of any room. */
  #revs = 0

  /** @param isWatched tells whether anybody wants to be told of the changes of a room */
  constructor(isWatched: (rid: string) => boolean) {
    this.#isWatched = isWatched
  }

  /**
   * Adds a session, or moves the one that has the same user and `clientId` to the new connection.
   *
   * @returns undefined when that one is connected by a later request: nothing happened
   */
  connect(
    arrival: PresenceSession,
    rooms: readonly SessionMembership[],
    node: string,
    report: Report,
  ): Admission | undefined {
    const { uid, clientId, info } = arrival
    const user = this.users.get(uid) ?? new PresentUser(uid)
    const known = clientId === undefined ? undefined : user.clients?.get(clientId)
    if (known !== undefined && isEarlier(arrival, known)) return undefined
    const step = new Step(uid)
    if (user.size === 0) {
      this.users.set(uid, user)
      step.add(ONLINE)
    }
    if (!user.hasOwnInfo) this.#changeInfo(user, info, step)
    const previous = known && connectionOf(known)
    const session = known ?? this.#add(user, arrival, node)
    if (known !== undefined) move(known, arrival, node)
    for (const { rid, by } of rooms) this.#enter(session, rid, by, step)
    // First: a listener may call back and leave a room, which must not be in the answer then.
    report(step)
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
    report(step)
  }

  /** Puts a session in grace: removes it after `grace` milliseconds, unless a takeover comes first. */
  removeAfter(session: PresentSession, grace: number, report: Report): void {
    clearTimeout(session.timer)
    session.report = report
    session.timer = patientTimeout(this.#onGraceOver, grace, session)
    session.timer.unref()
  }

  readonly #onGraceOver = (session: PresentSession): void => this.remove(session, session.report as Report)

  /** Adds a membership. @returns not done when the owner is not there */
  enter(owner: MembershipOwner, rid: string, by: GrantedBy, report: Report): MembershipAnswer {
    const step = new Step(owner.uid)
    if (owner.sid === undefined) {
      const user = this.users.get(owner.uid)
      if (user === undefined) return NOT_DONE
      user.memberships ??= new Set()
      if (!user.memberships.has(rid)) this.#addMembership(user, rid, step)
      user.memberships.add(rid)
    } else {
      const session = this.sessionOf(owner)
      if (session === undefined) return NOT_DONE
      this.#enter(session, rid, by, step)
    }
    report(step)
    return { done: true, nodes: this.#nodesOfOwner(owner) }
  }

  /** Removes a session's membership, or every membership of a user. @returns not done when there was none */
  leave(owner: MembershipOwner, rid: string, report: Report): MembershipAnswer {
    const user = this.users.get(owner.uid)
    if (user === undefined) return NOT_DONE
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
    report(step)
    return { done: left, nodes: this.#nodesOfOwner(owner) }
  }

  /** Changes the `info` of a user. @returns false when it is not online */
  setInfo(uid: string, info: unknown, report: Report): boolean {
    const user = this.users.get(uid)
    if (user === undefined) return false
    const step = new Step(uid)
    user.hasOwnInfo = true
    this.#changeInfo(user, info, step)
    report(step)
    return true
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

  /** Finds the nodes that have a live session of a user, or of a user in a room. */
  nodesOf(target: { readonly uid: string } | { readonly rid: string }): string[] {
    const nodes = new Set<string>()
    const users = 'uid' in target ? [this.users.get(target.uid)] : (this.rooms.get(target.rid)?.users ?? [])
    for (const user of users) {
      for (const { node, timer } of user?.members ?? []) if (timer === undefined) nodes.add(node)
    }
    return Array.from(nodes)
  }

  /** Tells whether a user has a live session with a `clientId`. */
  serves(uid: string, clientId: string): boolean {
    const session = this.users.get(uid)?.clients?.get(clientId)
    return session !== undefined && session.timer === undefined
  }

  /** The revision of a room's members. */
  revOf(rid: string): string {
    return this.#rev(this.rooms.get(rid)?.rev ?? this.#revs)
  }

  /** Finds the sessions in grace that a target names. */
  inGrace(target: GraceTarget): PresentSession[] {
    if ('sid' in target) {
      const session = this.sessions.get(target.sid)
      return session?.timer === undefined ? [] : [session]
    }
    const users = 'uid' in target ? [this.users.get(target.uid)] : (this.rooms.get(target.rid)?.users ?? [])
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
    const room = this.rooms.get(rid) ?? { users: new Set(), rev: this.#revs }
    this.rooms.set(rid, room)
    room.users.add(user)
    step.add(ENTER_ROOM, rid)
    this.#change(room, rid, 'enter', memberOf(user), step)
  }

  #removeMembership(user: PresentUser, rid: string, step: Step): void {
    const count = user.membershipCounts?.get(rid) ?? 0
    if (count > 1) {
      user.membershipCounts?.set(rid, count - 1)
      return
    }
    user.membershipCounts?.delete(rid)
    step.add(LEAVE_ROOM, rid)
    const room = this.rooms.get(rid)
    if (room === undefined) return
    room.users.delete(user)
    this.#change(room, rid, 'leave', { uid: user.uid }, step)
    if (room.users.size === 0) this.rooms.delete(rid)
  }

  #changeInfo(user: PresentUser, info: unknown, step: Step): void {
    const isChanged = user.membershipCounts !== undefined && !isSameJson(user.info, info)
    user.info = info
    if (!isChanged) return
    for (const rid of user.membershipCounts?.keys() ?? []) {
      const room = this.rooms.get(rid)
      if (room !== undefined) this.#change(room, rid, 'info', memberOf(user), step)
    }
  }

  #change(room: PresentRoom, rid: string, type: RoomChange['type'], member: Member, step: Step): void {
    const from = room.rev
    this.#revs += 1
    room.rev = this.#revs
    if (!this.#isWatched(rid)) return
    step.rooms.push({ rid, rev: this.#rev(room.rev), from: this.#rev(from), type, member })
  }

  #rev(number: number): string {
    return `${this.#epoch}.${number}`
  }

  #nodesOfOwner({ uid, sid }: MembershipOwner): readonly string[] {
    return sid === undefined ? this.nodesOf({ uid }) : []
  }
}

function isSameJson(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b)
}
