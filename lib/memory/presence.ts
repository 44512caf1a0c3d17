import type { Member, Presence, PresenceLink, PresenceNode } from '../ports/presence.ts'
import { Namespaces } from './namespaces.ts'
import { type Report, type User, World } from './presence-state.ts'

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
        const stay = world.stayOf(session)
        if (stay === undefined) return
        if (grace <= 0) world.remove(stay, report)
        else world.runOut(stay, grace, (events) => reportTo(this.#hearer(node))(events))
      },
      endGrace: async (target) => {
        for (const stay of world.inGrace(target)) world.remove(stay, report)
      },
      enter: async (hold, rid) => world.enter(hold, rid, report),
      leave: async (hold, rid) => world.leave(hold, rid, report),
      locate: async (sid) => world.stays.get(sid)?.node,
      isOnline: async (uid) => world.users.has(uid),
      members: async (rid) => Array.from(world.rooms.get(rid) ?? [], memberOf),
      count: async (rid) => world.rooms.get(rid)?.size ?? 0,
      close: async () => {
        leave()
        if (Array.from(this.#nodes.of(node.namespace)).length > 0) return
        for (const stay of world.stays.values()) world.remove(stay, report)
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
