import type { Member, MemberPage, Presence, PresenceConnection, PresenceHandler } from '../ports/presence.ts'
import { Namespaces } from './namespaces.ts'
import { PresenceState, type PresentUser, type Report } from './presence-state.ts'

/** A Presence within the process, for the Comets that share it. */
export class MemoryPresence implements Presence {
  readonly #nodes = new Namespaces<PresenceHandler>()
  readonly #states = new Map<string, PresenceState>()

  join(node: PresenceHandler): PresenceConnection {
    const leave = this.#nodes.join(node)
    const state = this.#states.get(node.namespace) ?? new PresenceState()
    this.#states.set(node.namespace, state)
    const report = reportTo(node)
    // This node may have left when a grace ends.
    const reportLater: Report = (events) => reportTo(this.#successorOf(node))(events)
    return {
      connect: async (session, rooms) => state.connect(session, rooms, node.id, report),
      disconnect: async (connection, grace) => {
        const session = state.sessionOf(connection)
        if (session === undefined) return false
        if (grace <= 0) state.remove(session, report)
        else state.removeAfter(session, grace, reportLater)
        return true
      },
      endGrace: async (target) => {
        for (const session of state.inGrace(target)) state.remove(session, report)
      },
      enter: async (owner, rid, by) => state.enter(owner, rid, by, report),
      leave: async (owner, rid) => state.leave(owner, rid, report),
      membership: async (owner, rid) => state.membership(owner, rid),
      locate: async (sid) => state.locate(sid),
      isOnline: async (uid) => state.users.has(uid),
      roomsOf: async (uid) => Array.from(state.users.get(uid)?.membershipCounts?.keys() ?? []),
      members: async (rid, page) => {
        const users = state.rooms.get(rid) ?? []
        return Array.from(page === undefined ? users : pageOf(users, page), memberOf)
      },
      count: async (rid) => state.rooms.get(rid)?.size ?? 0,
      close: async () => {
        leave()
        if (Array.from(this.#nodes.of(node.namespace)).length > 0) return
        for (const session of state.sessions.values()) state.remove(session, report)
        this.#states.delete(node.namespace)
      },
    }
  }

  /** Finds the node that hears the end of a grace: the one that began it, or another one when that has left. */
  #successorOf(node: PresenceHandler): PresenceHandler {
    const [other] = this.#nodes.of(node.namespace)
    return this.#nodes.get(node.namespace, node.id) ?? other ?? node
  }
}

function reportTo(node: PresenceHandler): Report {
  return (events) => {
    if (events.length > 0) node.onActivity(events)
  }
}

/** Finds a page of users, in the order of their uids. Sorts few of them at a time: a room may have many. */
function pageOf(users: Iterable<PresentUser>, { after = '', limit }: MemberPage): PresentUser[] {
  let page: PresentUser[] = []
  /** The last uid of a full page so far. */
  let last: string | undefined
  for (const user of users) {
    const { uid } = user
    if (uid <= after || (last !== undefined && uid > last)) continue
    page.push(user)
    if (page.length < 2 * limit) continue
    page = page.sort(byUid).slice(0, limit)
    last = page.at(-1)?.uid
  }
  return page.sort(byUid).slice(0, limit)
}

function byUid(a: PresentUser, b: PresentUser): number {
  return a.uid < b.uid ? -1 : 1
}

function memberOf({ uid, info }: PresentUser): Member {
  return info === undefined ? { uid } : { uid, info }
}
