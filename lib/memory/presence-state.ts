import type { Admission, GraceTarget, Hold, PresenceSession, SessionHold } from '../ports/presence.ts'
import { UserActivityEvent } from '../protocol/user-activity-event.ts'
import { now } from '../util/clock.ts'
import { Few } from '../util/small-set.ts'

const { ONLINE, OFFLINE, ENTER_ROOM, LEAVE_ROOM } = UserActivityEvent.Type

/** A session, live or in grace, and the rooms it holds. */
class Stay {
  readonly user: User
  readonly sid: string
  readonly clientId: string | undefined
  /** The node and the connection that the session is on. */
  node: string
  connection: string
  rooms: Set<string> | undefined
  /** Set while in grace; runs the stay out. */
  timer: NodeJS.Timeout | undefined

  constructor(user: User, sid: string, clientId: string | undefined, node: string, connection: string) {
    this.user = user
    this.sid = sid
    this.clientId = clientId
    this.node = node
    this.connection = connection
  }
}

/** A user's stays, and what is made only for those who need it: most have one session, and are in few rooms. */
export class User extends Few<Stay> {
  readonly uid: string
  info: unknown
  /** The user-level memberships. */
  memberships: Set<string> | undefined
  /** How many holds there are on each room; a room without one is not in it. */
  holds: Map<string, number> | undefined
  /** The stay of each clientId. */
  clients: Map<string, Stay> | undefined

  constructor(uid: string) {
    super()
    this.uid = uid
  }
}

/** One namespace's users and rooms. Every method is synchronous, hence atomic. */
export class World {
  readonly users = new Map<string, User>()
  readonly rooms = new Map<string, Set<User>>()
  readonly stays = new Map<string, Stay>()

  connect(session: PresenceSession, rooms: readonly string[], node: string, report: Report): Admission {
    const { uid, connection, info, clientId } = session
    const step = new Step(uid)
    const user = this.users.get(uid) ?? new User(uid)
    if (user.size === 0) {
      this.users.set(uid, user)
      step.add(ONLINE)
    }
    user.info = info
    const taken = clientId === undefined ? undefined : user.clients?.get(clientId)
    const former =
      taken === undefined || taken.timer !== undefined
        ? undefined
        : { node: taken.node, connection: taken.connection }
    const stay = taken ?? this.#begin(user, connection, clientId, node)
    clearTimeout(stay.timer)
    stay.timer = undefined
    stay.node = node
    stay.connection = connection
    for (const rid of rooms) this.#enter(stay, rid, step)
    report(step.events)
    const { sid } = stay
    const held = Array.from(stay.rooms ?? [])
    const memberships = Array.from(user.memberships ?? [])
    return former === undefined
      ? { sid, rooms: held, memberships }
      : { sid, rooms: held, memberships, former }
  }

  /** Lets a session go at once. */
  remove(stay: Stay, report: Report): void {
    const { user, sid, clientId, rooms } = stay
    if (this.stays.get(sid) !== stay) return
    clearTimeout(stay.timer)
    this.stays.delete(sid)
    user.delete(stay)
    if (clientId !== undefined) user.clients?.delete(clientId)
    const step = new Step(user.uid)
    for (const rid of rooms ?? []) this.#release(user, rid, step)
    if (user.size === 0) {
      for (const rid of user.memberships ?? []) this.#release(user, rid, step)
      this.users.delete(user.uid)
      step.add(OFFLINE)
    }
    report(step.events)
  }

  /** Lets a session go after its grace. */
  runOut(stay: Stay, grace: number, report: Report): void {
    clearTimeout(stay.timer)
    stay.timer = setTimeout(() => this.remove(stay, report), grace)
    stay.timer.unref()
  }

  enter(hold: Hold, rid: string, report: Report): boolean {
    const step = new Step(hold.uid)
    if (hold.sid === undefined) {
      const user = this.users.get(hold.uid)
      if (user === undefined) return false
      user.memberships ??= new Set()
      if (!user.memberships.has(rid)) this.#hold(user, rid, step)
      user.memberships.add(rid)
    } else {
      const stay = this.stayOf(hold)
      if (stay === undefined) return false
      this.#enter(stay, rid, step)
    }
    report(step.events)
    return true
  }

  leave(hold: Hold, rid: string, report: Report): boolean {
    const user = this.users.get(hold.uid)
    if (user === undefined) return false
    const step = new Step(hold.uid)
    let left = false
    const holders =
      hold.sid === undefined
        ? [user.memberships, ...Array.from(user.members, ({ rooms }) => rooms)]
        : [this.stayOf(hold)?.rooms]
    for (const rooms of holders) {
      if (!rooms?.delete(rid)) continue
      this.#release(user, rid, step)
      left = true
    }
    report(step.events)
    return left
  }

  /** The session's stay, unless another connection has it. */
  stayOf({ uid, sid, connection }: SessionHold): Stay | undefined {
    const stay = this.stays.get(sid)
    return stay?.connection === connection && stay.user.uid === uid ? stay : undefined
  }

  /** The sessions in grace that a target names. */
  inGrace(target: GraceTarget): Stay[] {
    if ('sid' in target) {
      const stay = this.stays.get(target.sid)
      return stay?.timer === undefined ? [] : [stay]
    }
    const users = 'uid' in target ? [this.users.get(target.uid)] : (this.rooms.get(target.rid) ?? [])
    const found: Stay[] = []
    for (const user of users) {
      for (const stay of user?.members ?? []) {
        if (stay.timer === undefined) continue
        if ('uid' in target || stay.rooms?.has(target.rid) || user?.memberships?.has(target.rid)) {
          found.push(stay)
        }
      }
    }
    return found
  }

  #begin(user: User, sid: string, clientId: string | undefined, node: string): Stay {
    const stay = new Stay(user, sid, clientId, node, sid)
    user.add(stay)
    this.stays.set(sid, stay)
    if (clientId !== undefined) {
      user.clients ??= new Map()
      user.clients.set(clientId, stay)
    }
    return stay
  }

  #enter(stay: Stay, rid: string, step: Step): void {
    stay.rooms ??= new Set()
    if (stay.rooms.has(rid)) return
    stay.rooms.add(rid)
    this.#hold(stay.user, rid, step)
  }

  #hold(user: User, rid: string, step: Step): void {
    user.holds ??= new Map()
    const holds = user.holds.get(rid) ?? 0
    user.holds.set(rid, holds + 1)
    if (holds > 0) return
    const room = this.rooms.get(rid) ?? new Set()
    this.rooms.set(rid, room.add(user))
    step.add(ENTER_ROOM, rid)
  }

  #release(user: User, rid: string, step: Step): void {
    const holds = user.holds?.get(rid) ?? 0
    if (holds > 1) {
      user.holds?.set(rid, holds - 1)
      return
    }
    user.holds?.delete(rid)
    const room = this.rooms.get(rid)
    room?.delete(user)
    if (room?.size === 0) this.rooms.delete(rid)
    step.add(LEAVE_ROOM, rid)
  }
}

/** Takes the transitions of one step. */
export type Report = (events: readonly UserActivityEvent[]) => void

/** The transitions of one step share one stamp. */
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
