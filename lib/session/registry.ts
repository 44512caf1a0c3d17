import { Few } from '../util/small-set.ts'
import type { Session } from './session.ts'

/** A user's sessions. */
class User extends Few<Session> {
  /** The rooms that all of them are in. */
  memberships: Set<string> | undefined
}

/**
 * Which sessions of this node an event reaches: by session, user and room. A session is in a room by itself or
 * through its user's membership. Every operation takes a constant number of steps for each room it touches.
 */
export class Registry {
  readonly #sessions = new Map<string, Session>()
  readonly #users = new Map<string, User>()
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

  all(): Iterable<Session> {
    return this.#sessions.values()
  }

  ofUser(uid: string): Iterable<Session> {
    return this.#users.get(uid)?.members ?? []
  }

  inRoom(rid: string): Iterable<Session> {
    return this.#rooms.get(rid) ?? []
  }

  rooms(): Iterable<[rid: string, sessions: ReadonlySet<Session>]> {
    return this.#rooms
  }

  /** The rooms a session is in, its user's among them. */
  roomsOf(session: Session): ReadonlySet<string> {
    const memberships = this.#users.get(session.uid)?.memberships
    if (memberships === undefined) return session.rooms
    return new Set([...session.rooms, ...memberships])
  }

  add(session: Session): void {
    this.#sessions.set(session.sid, session)
    const user = this.#users.get(session.uid) ?? new User()
    if (user.size === 0) this.#users.set(session.uid, user)
    user.add(session)
    for (const rid of user.memberships ?? []) this.#put(session, rid)
  }

  /** Gives a session another sid. */
  rename(session: Session, sid: string): void {
    if (session.sid === sid) return
    this.#sessions.delete(session.sid)
    this.#sessions.set(sid, session)
    session.sid = sid
  }

  remove(session: Session): void {
    if (this.#sessions.get(session.sid) !== session) return
    this.#sessions.delete(session.sid)
    for (const rid of this.roomsOf(session)) this.#take(session, rid)
    const user = this.#users.get(session.uid)
    user?.delete(session)
    if (user?.size === 0) this.#users.delete(session.uid)
  }

  enter(session: Session, rid: string): void {
    // Not by its sid alone: another session may have taken that over.
    if (this.#sessions.get(session.sid) !== session) return
    session.addRoom(rid)
    this.#put(session, rid)
  }

  leave(session: Session, rid: string): boolean {
    const left = session.deleteRoom(rid)
    if (!this.#users.get(session.uid)?.memberships?.has(rid)) this.#take(session, rid)
    return left
  }

  /** Puts all of a user's sessions into a room, later ones too. */
  enterUser(uid: string, rid: string): void {
    const user = this.#users.get(uid)
    if (user === undefined) return
    user.memberships ??= new Set()
    user.memberships.add(rid)
    for (const session of user.members) {
      session.dismissed?.delete(rid)
      this.#put(session, rid)
    }
  }

  /** Takes all of a user's sessions out of a room, whatever put them there. */
  leaveUser(uid: string, rid: string): void {
    const user = this.#users.get(uid)
    user?.memberships?.delete(rid)
    for (const session of user?.members ?? []) {
      if (!session.present && !session.anonymous) session.dismiss(rid)
      this.leave(session, rid)
    }
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
