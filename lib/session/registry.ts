import type { SessionInfo } from '../hooks/session-info.ts'
import type { GrantedBy } from '../ports/presence.ts'
import { SmallSet } from '../util/small-set.ts'
import type { Session } from './session.ts'

/** A user's sessions on this node. */
class LocalUser extends SmallSet<Session> {
  /** The rooms of the user's own membership: all its sessions are in them, later ones too. */
  memberships: Set<string> | undefined
}

/**
 * The sessions of this node that an event reaches: by sid, user and room. A session is in a room because it entered it,
 * or because its user did.
 *
 * Each method takes a constant number of steps per room that it touches. All are synchronous, so the indexes agree
 * whenever other code runs.
 */
export class Registry {
  readonly #sessions = new Map<string, Session>()
  readonly #users = new Map<string, LocalUser>()
  readonly #rooms = new Map<string, Set<Session>>()

  get sessionCount(): number {
    return this.#sessions.size
  }

  get userCount(): number {
    return this.#users.size
  }

  get roomCount(): number {
    return this.#rooms.size
  }

  get(sid: string): Session | undefined {
    return this.#sessions.get(sid)
  }

  has(session: Session): boolean {
    return this.#sessions.get(session.sid) === session
  }

  all(): Iterable<Session> {
    return this.#sessions.values()
  }

  ofUser(uid: string): Iterable<Session> {
    return this.#users.get(uid)?.members ?? []
  }

  hasUser(uid: string): boolean {
    return this.#users.has(uid)
  }

  /** Tells whether a user is a member of a room itself. */
  isMember(uid: string, rid: string): boolean {
    return this.#users.get(uid)?.memberships?.has(rid) ?? false
  }

  /** The rooms of a user's own memberships. */
  membershipsOf(uid: string): Iterable<string> {
    return this.#users.get(uid)?.memberships ?? []
  }

  inRoom(rid: string): Iterable<Session> {
    return this.#rooms.get(rid) ?? []
  }

  rooms(): Iterable<[rid: string, sessions: ReadonlySet<Session>]> {
    return this.#rooms
  }

  /** The rooms that a session is in, those of its user included. */
  roomsOf(session: Session): ReadonlySet<string> {
    const memberships = this.#users.get(session.uid)?.memberships
    const rooms = new Set(session.rooms.keys())
    for (const rid of memberships ?? []) rooms.add(rid)
    return rooms
  }

  /** Describes a session for the app, registered or not. */
  infoOf(session: Session): SessionInfo {
    const { sid, connection, uid, anonymous, clientId } = session
    const rooms = Array.from(this.roomsOf(session))
    return { sid, connection, uid, anonymous, rooms, ...(clientId === undefined ? {} : { clientId }) }
  }

  add(session: Session): void {
    this.#sessions.set(session.sid, session)
    const user = this.#users.get(session.uid) ?? new LocalUser()
    if (user.size === 0) this.#users.set(session.uid, user)
    user.add(session)
    for (const rid of user.memberships ?? []) this.#put(session, rid)
  }

  /** Gives a session the sid of the one that it took over. */
  rename(session: Session, sid: string): void {
    if (session.sid === sid) return
    this.#sessions.delete(session.sid)
    this.#sessions.set(sid, session)
    session.sid = sid
  }

  /** @returns false when the session was not registered, or not any more */
  remove(session: Session): boolean {
    if (!this.has(session)) return false
    this.#sessions.delete(session.sid)
    for (const rid of this.roomsOf(session)) this.#take(session, rid)
    const user = this.#users.get(session.uid)
    user?.delete(session)
    if (user?.size === 0) this.#users.delete(session.uid)
    return true
  }

  /** Puts a session into a room. Does nothing for a session that is not registered, or not any more. */
  enter(session: Session, rid: string, by: GrantedBy): void {
    // Not by the sid alone: another session may have taken it over.
    if (!this.has(session)) return
    session.addRoom(rid, by)
    this.#put(session, rid)
  }

  /** @returns false when the session itself was not in the room */
  leave(session: Session, rid: string): boolean {
    const left = session.deleteRoom(rid)
    session.dropRoom(rid)
    if (!this.#users.get(session.uid)?.memberships?.has(rid)) this.#take(session, rid)
    return left
  }

  /** Puts all sessions of a user into a room, later ones too. Does nothing for a user without a session here. */
  enterUser(uid: string, rid: string): void {
    const user = this.#users.get(uid)
    if (user === undefined) return
    user.memberships ??= new Set()
    user.memberships.add(rid)
    for (const session of user.members) this.#put(session, rid)
  }

  /** Takes all sessions of a user out of a room, whether they or the user entered it. */
  leaveUser(uid: string, rid: string): void {
    this.endMembership(uid, rid)
    for (const session of this.ofUser(uid)) this.leave(session, rid)
  }

  /** Ends a user's own membership of a room. The sessions that entered the room themselves stay in it. */
  endMembership(uid: string, rid: string): void {
    const user = this.#users.get(uid)
    if (!user?.memberships?.delete(rid)) return
    for (const session of user.members) if (!session.rooms.has(rid)) this.#take(session, rid)
  }

  #put(session: Session, rid: string): void {
    const room = this.#rooms.get(rid)
    if (room === undefined) this.#rooms.set(rid, new Set([session]))
    else room.add(session)
  }

  #take(session: Session, rid: string): void {
    const room = this.#rooms.get(rid)
    room?.delete(session)
    if (room?.size === 0) this.#rooms.delete(rid)
  }
}
