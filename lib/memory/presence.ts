import { randomBytes } from 'node:crypto'
import type { MemberPage, Presence, PresenceConnection, PresenceHandler } from '../ports/presence.ts'
import { UserActivityEvent } from '../protocol/user-activity-event.ts'
import { atMost } from '../util/at-most.ts'
import { Fifo } from '../util/fifo.ts'
import { Namespaces } from './namespaces.ts'
import { PresenceState } from './presence-state.ts'
import type { Changes } from './presence-step.ts'
import { memberOf, type PresentUser } from './present.ts'
import { RecordQueue, type TakeRecord } from './record-queue.ts'

/** How long the last node that leaves waits for those who take the record, in milliseconds. */
const GIVING_MS = 2_000

/** A Presence within the process, for the Comets that share it. */
export class MemoryPresence implements Presence {
  readonly #nodes = new Namespaces<PresenceHandler>()
  readonly #clusters = new Map<string, Cluster>()
  readonly #secrets = new Map<string, string>()

  async secret(namespace: string): Promise<string> {
    const secret = this.#secrets.get(namespace) ?? randomBytes(32).toString('base64url')
    this.#secrets.set(namespace, secret)
    return secret
  }

  join(node: PresenceHandler): PresenceConnection {
    const leave = this.#nodes.join(node)
    const { namespace } = node
    const cluster = this.#clusters.get(namespace) ?? new Cluster(() => this.#nodes.of(namespace))
    this.#clusters.set(namespace, cluster)
    const { state } = cluster
    const report = (changes: Changes) => cluster.tell(node, changes)
    // This node may have left when a grace ends.
    const reportLater = (changes: Changes) => cluster.tell(this.#successorOf(node), changes)
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
      setInfo: async (uid, info) => state.setInfo(uid, info, report),
      heard: async (uid, time) => cluster.heard(node, uid, time),
      membership: async (owner, rid) => state.membership(owner, rid),
      locate: async (sid) => state.locate(sid),
      nodesOf: async (target) => state.nodesOf(target),
      serves: async (uid, clientId) => state.serves(uid, clientId),
      isOnline: async (uid) => state.users.has(uid),
      roomsOf: async (uid) => Array.from(state.users.get(uid)?.membershipCounts?.keys() ?? []),
      members: async (rid, page) => {
        const users = state.rooms.get(rid)?.users ?? []
        const members = Array.from(page === undefined ? users : pageOf(users, page), memberOf)
        return { rev: state.revOf(rid), members }
      },
      count: async (rid) => state.rooms.get(rid)?.users.size ?? 0,
      watch: async (rid) => cluster.watch(rid, node),
      secret: () => this.secret(namespace),
      close: async () => {
        leave()
        cluster.leave(node)
        if (Array.from(this.#nodes.of(namespace)).length > 0) return
        for (const session of state.sessions.values()) state.remove(session, report)
        this.#clusters.delete(namespace)
        await atMost(GIVING_MS, cluster.record.given)
        cluster.record.stop()
      },
    }
  }

  /** Finds the node that hears the end of a grace: the one that began it, or another one when that has left. */
  #successorOf(node: PresenceHandler): PresenceHandler {
    const [other] = this.#nodes.of(node.namespace)
    return this.#nodes.get(node.namespace, node.id) ?? other ?? node
  }
}

/** The nodes of one namespace: what they share, and who is told of which change. */
class Cluster {
  readonly state = new PresenceState((rid) => this.#watchers.has(rid))
  readonly #nodes: () => Iterable<PresenceHandler>
  /** The nodes that watch a room, and how many times each does. */
  readonly #watchers = new Map<string, Map<PresenceHandler, number>>()
  /** What listeners change while others are told: all are told of it after that, in one order. */
  readonly #queue = new Fifo<() => void>()
  #isTelling = false

  readonly record = new RecordQueue(() => this.#taker())
  /** Of the node that has told of activity last. */
  #lastTaker: TakeRecord | undefined

  constructor(nodes: () => Iterable<PresenceHandler>) {
    this.#nodes = nodes
  }

  #taker(): TakeRecord | undefined {
    for (const { onRecord } of this.#nodes()) if (onRecord !== undefined) return onRecord
    // The last node has left already when it tells who went offline with it.
    return this.#lastTaker
  }

  #give({ onRecord }: PresenceHandler, events: readonly UserActivityEvent[]): void {
    this.#lastTaker = onRecord ?? this.#lastTaker
    this.record.add(events)
  }

  /** Tells those who want to hear of changes that a node has caused. */
  tell(node: PresenceHandler, changes: Changes): void {
    this.#inOrder(() => this.#tellNow(node, changes))
  }

  #inOrder(step: () => void): void {
    this.#queue.push(step)
    if (this.#isTelling) return
    this.#isTelling = true
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) next()
    this.#isTelling = false
  }

  heard(node: PresenceHandler, uid: string, time: bigint): void {
    const events = [new UserActivityEvent({ type: UserActivityEvent.Type.HEARD, uid, time })]
    this.#inOrder(() => {
      this.#tellCluster(events)
      this.#give(node, events)
    })
  }

  watch(rid: string, node: PresenceHandler): () => void {
    this.#countWatch(rid, node, 1)
    let watches = true
    return () => {
      if (watches) this.#countWatch(rid, node, -1)
      watches = false
    }
  }

  /** Forgets what a node watches. */
  leave(node: PresenceHandler): void {
    for (const [rid, watchers] of this.#watchers) this.#countWatch(rid, node, -(watchers.get(node) ?? 0))
  }

  #countWatch(rid: string, node: PresenceHandler, change: number): void {
    const watchers = this.#watchers.get(rid) ?? new Map<PresenceHandler, number>()
    const count = (watchers.get(node) ?? 0) + change
    if (count > 0) this.#watchers.set(rid, watchers.set(node, count))
    else watchers.delete(node)
    if (watchers.size === 0) this.#watchers.delete(rid)
  }

  #tellCluster(events: readonly UserActivityEvent[]): void {
    for (const node of this.#nodes()) if (node.activity === 'cluster') node.onActivity(events)
  }

  #tellNow(node: PresenceHandler, { events, rooms }: Changes): void {
    if (events.length > 0) {
      if (node.activity === 'local') node.onActivity(events)
      this.#tellCluster(events)
      this.#give(node, events)
    }
    for (const change of rooms) {
      for (const watcher of this.#watchers.get(change.rid)?.keys() ?? []) watcher.onRoomChange(change)
    }
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
