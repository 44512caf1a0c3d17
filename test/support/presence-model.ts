/** A session of the model: its rooms, and the end of its grace once its connection dropped. */
interface ModelSession {
  readonly rooms: Set<string>
  deadline?: number
}

interface ModelUser {
  readonly sessions: Map<string, ModelSession>
  readonly memberships: Set<string>
}

/**
 * A simple model of presence: a user is online while it has a session, live or in grace, and in a room while a
 * membership of one of its sessions or of its own keeps it there. Transitions are the difference of two states.
 */
export class PresenceModel {
  readonly #users = new Map<string, ModelUser>()

  connect(uid: string, sid: string, rooms: Iterable<string>): void {
    const user = this.#users.get(uid) ?? { sessions: new Map(), memberships: new Set() }
    this.#users.set(uid, user)
    user.sessions.set(sid, { rooms: new Set(rooms) })
  }

  drop(uid: string, sid: string, deadline: number): void {
    const session = this.#users.get(uid)?.sessions.get(sid)
    if (session) session.deadline = deadline
  }

  remove(uid: string, sid: string): void {
    const user = this.#users.get(uid)
    user?.sessions.delete(sid)
    if (user?.sessions.size === 0) this.#users.delete(uid)
  }

  removeGraced(matches: (uid: string, sid: string, rooms: ReadonlySet<string>) => boolean): void {
    for (const [uid, { sessions, memberships }] of this.#users) {
      for (const [sid, { rooms, deadline }] of sessions) {
        if (deadline !== undefined && matches(uid, sid, new Set([...rooms, ...memberships])))
          this.remove(uid, sid)
      }
    }
  }

  /** The session whose grace ends next, up to a time. */
  nextDeadline(until: number): { uid: string; sid: string; deadline: number } | undefined {
    let next: { uid: string; sid: string; deadline: number } | undefined
    for (const [uid, { sessions }] of this.#users) {
      for (const [sid, { deadline }] of sessions) {
        if (deadline !== undefined && deadline <= until && !(next && next.deadline <= deadline)) {
          next = { uid, sid, deadline }
        }
      }
    }
    return next
  }

  enterUser(uid: string, rid: string): boolean {
    return this.#users.get(uid)?.memberships.add(rid) !== undefined
  }

  leaveUser(uid: string, rid: string): boolean {
    const user = this.#users.get(uid)
    if (!user) return false
    const holders = [user.memberships, ...Array.from(user.sessions.values(), ({ rooms }) => rooms)]
    return holders.map((rooms) => rooms.delete(rid)).includes(true)
  }

  roomsOfSession(uid: string, sid: string): Set<string> {
    return this.#users.get(uid)?.sessions.get(sid)?.rooms ?? new Set()
  }

  memberships(uid: string): ReadonlySet<string> {
    return this.#users.get(uid)?.memberships ?? new Set()
  }

  /** Each user that is online, with the rooms that it is in. */
  state(): Map<string, Set<string>> {
    const state = new Map<string, Set<string>>()
    for (const [uid, { sessions, memberships }] of this.#users) {
      state.set(
        uid,
        new Set([...memberships, ...Array.from(sessions.values(), ({ rooms }) => [...rooms]).flat()]),
      )
    }
    return state
  }
}
