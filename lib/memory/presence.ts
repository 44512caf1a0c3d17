import { now } from '../clock.ts'
import type {
  Admission,
  GraceTarget,
  Hold,
  Member,
  Presence,
  PresenceLink,
  PresenceNode,
  PresenceSession,
  SessionHold,
} from '../presence.ts'
import { UserActivityEvent } from '../protocol/user-activity-event.ts'
import { Namespaces } from './namespaces.ts'

const { ONLINE, OFFLINE, ENTER_ROOM, LEAVE_ROOM } = UserActivityEvent.Type

/** A session, live or in grace, and the rooms it holds. */
interface Stay {
  readonly rooms: Set<string>
  readonly clientId: string | undefined
  /** The node and the connection that the session is on. */
  readonly node: string
  readonly connection: string
  /** Set while in grace; runs the stay out. */
  timer?: NodeJS.Timeout
}

interface User {
  readonly uid: string
  readonly stays: Map<string, Stay>
  /** The user-level memberships. */
  readonly memberships: Set<string>
  /** How many holds there are on each room; a room without one is not in it. */
  readonly holds: Map<string, number>
  /** The sid of each clientId. */
  readonly clients: Map<string, string>
  info: unknown
}

/** One namespace's users and rooms. Every method is synchronous, hence atomic. */
class World {
  readonly users = new Map<string, User>()
  readonly rooms = new Map<string, Set<User>>()
  /** Whose session a sid is. */
  readonly owners = new Map<string, User>()

  connect(session: PresenceSession, rooms: readonly string[], node: string, report: Report): Admission {
    const { uid, connection, info, clientId } = session
    let user = this.users.get(uid)
    const step = new Step(uid)
    if (user === undefined) {
      user = { uid, stays: new Map(), memberships: new Set(), holds: new Map(), clients: new Map(), info }
      this.users.set(uid, user)
      step.add(ONLINE)
    }
    user.info = info
    const sid = (clientId === undefined ? undefined : user.clients.get(clientId)) ?? connection
    const taken = user.stays.get(sid)
    const former = taken?.timer === undefined ? taken : undefined
    clearTimeout(taken?.timer)
    const stay = { rooms: taken?.rooms ?? new Set<string>(), clientId, node, connection }
    user.stays.set(sid, stay)
    this.owners.set(sid, user)
    if (clientId !== undefined) user.clients.set(clientId, sid)
    for (const rid of rooms) {
      if (stay.rooms.has(rid)) continue
      stay.rooms.add(rid)
      this.#hold(user, rid, step)
    }
    report(step.events)
    const held = { rooms: Array.from(stay.rooms), memberships: Array.from(user.memberships) }
    if (former === undefined) return { sid, ...held }
    return { sid, ...held, former: { node: former.node, connection: former.connection } }
  }

  /** Lets a session go at once. */
  remove(user: User, sid: string, report: Report): void {
    const stay = user.stays.get(sid)
    if (stay === undefined) return
    clearTimeout(stay.timer)
    this.owners.delete(sid)
    user.stays.delete(sid)
    if (stay.clientId !== undefined) user.clients.delete(stay.clientId)
    const step = new Step(user.uid)
    for (const rid of stay.rooms) this.#release(user, rid, step)
    if (user.stays.size === 0) {
      for (const rid of user.memberships) this.#release(user, rid, step)
      this.users.delete(user.uid)
      step.add(OFFLINE)
    }
    report(step.events)
  }

  /** Lets a session go after its grace. */
  runOut(user: User, sid: string, grace: number, report: Report): void {
    const stay = user.stays.get(sid)
    if (stay === undefined) return
    clearTimeout(stay.timer)
    stay.timer = setTimeout(() => this.remove(user, sid, report), grace)
    stay.timer.unref()
  }

  enter(hold: Hold, rid: string, report: Report): boolean {
    const { uid } = hold
    const user = this.users.get(uid)
    const rooms = hold.sid === undefined ? user?.memberships : this.stayOf(hold)?.rooms
    if (user === undefined || rooms === undefined) return false
    if (rooms.has(rid)) return true
    rooms.add(rid)
    const step = new Step(uid)
    this.#hold(user, rid, step)
    report(step.events)
    return true
  }

  leave(hold: Hold, rid: string, report: Report): boolean {
    const user = this.users.get(hold.uid)
    if (user === undefined) return false
    const step = new Step(hold.uid)
    let left = false
    const holders = hold.sid === undefined ? [user.memberships, ...roomsOf(user)] : [this.stayOf(hold)?.rooms]
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
    const stay = this.users.get(uid)?.stays.get(sid)
    return stay?.connection === connection ? stay : undefined
  }

  /** The sessions in grace that a target names. */
  inGrace(target: GraceTarget): [user: User, sid: string][] {
    if ('sid' in target) {
      const user = this.owners.get(target.sid)
      return user?.stays.get(target.sid)?.timer === undefined ? [] : [[user, target.sid]]
    }
    const users = 'uid' in target ? [this.users.get(target.uid)] : (this.rooms.get(target.rid) ?? [])
    const found: [User, string][] = []
    for (const user of users) {
      for (const [sid, { rooms, timer }] of user?.stays ?? []) {
        if (user === undefined || timer === undefined) continue
        if ('uid' in target || rooms.has(target.rid) || user.memberships.has(target.rid))
          found.push([user, sid])
      }
    }
    return found
  }

  #hold(user: User, rid: string, step: Step): void {
    const holds = user.holds.get(rid) ?? 0
    user.holds.set(rid, holds + 1)
    if (holds > 0) return
    const room = this.rooms.get(rid) ?? new Set()
    this.rooms.set(rid, room.add(user))
    step.add(ENTER_ROOM, rid)
  }

  #release(user: User, rid: string, step: Step): void {
    const holds = user.holds.get(rid) ?? 0
    if (holds > 1) {
      user.holds.set(rid, holds - 1)
      return
    }
    user.holds.delete(rid)
    const room = this.rooms.get(rid)
    room?.delete(user)
    if (room?.size === 0) this.rooms.delete(rid)
    step.add(LEAVE_ROOM, rid)
  }
}

type Report = (events: readonly UserActivityEvent[]) => void

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

function* roomsOf(user: User): Iterable<Set<string>> {
  for (const stay of user.stays.values()) yield stay.rooms
}

/** A presence within the process. */
export class MemoryPresence implements Presence {
  readonly #nodes = new Namespaces<PresenceNode>()
  readonly #worlds = new Map<string, World>()

  join(node: PresenceNode): PresenceLink {
    const leave = this.#nodes.join(node)
    const world = this.#worlds.get(node.namespace) ?? new World()
    this.#worlds.set(node.namespace, world)
    const report = reportTo(node)
    return {
      connect: async (session, rooms) => world.connect(session, rooms, node.id, report),
      disconnect: async (session, grace) => {
        const { uid, sid } = session
        const user = world.users.get(uid)
        if (user === undefined || world.stayOf(session) === undefined) return
        if (grace <= 0) world.remove(user, sid, report)
        else world.runOut(user, sid, grace, (events) => reportTo(this.#hearer(node))(events))
      },
      endGrace: async (target) => {
        for (const [user, sid] of world.inGrace(target)) world.remove(user, sid, report)
      },
      enter: async (hold, rid) => world.enter(hold, rid, report),
      leave: async (hold, rid) => world.leave(hold, rid, report),
      locate: async (sid) => world.owners.get(sid)?.stays.get(sid)?.node,
      isOnline: async (uid) => world.users.has(uid),
      members: async (rid) => Array.from(world.rooms.get(rid) ?? [], memberOf),
      count: async (rid) => world.rooms.get(rid)?.size ?? 0,
      close: async () => {
        leave()
        if (Array.from(this.#nodes.of(node.namespace)).length > 0) return
        for (const [sid, user] of world.owners) world.remove(user, sid, report)
        this.#worlds.delete(node.namespace)
      },
    }
  }

  /** Who hears what a node caused: another one where that node has left meanwhile. */
  #hearer(node: PresenceNode): PresenceNode {
    const [other] = this.#nodes.of(node.namespace)
    return this.#nodes.get(node.namespace, node.id) ?? other ?? node
  }
}

function reportTo(node: PresenceNode): Report {
  return (events) => {
    if (events.length > 0) node.onActivity(events)
  }
}

function memberOf({ uid, info }: User): Member {
  return info === undefined ? { uid } : { uid, info }
}
