import { connectionOf } from '../../adapters/redis/client.ts'
import { Nodes } from '../../adapters/redis/cluster.ts'
import { Keys } from '../../adapters/redis/keys.ts'
import { presenceConnection } from '../../adapters/redis/presence-connection.ts'
import { RedisPresenceNode } from '../../adapters/redis/presence-node.ts'
import type {
  GrantedBy,
  PresenceConnection,
  PresenceHandler,
  RestorableSession,
  RoomChange,
  SessionConnection,
  UserActivityEvent,
} from '../../lib/index.ts'
import { show } from './activity-rules.ts'
import { CLIENTS, type TestClient } from './redis-clients.ts'

export interface PresenceNodeOptions {
  /** One of CLIENTS. */
  readonly library?: string
  readonly activity?: 'local' | 'cluster'
  readonly lease?: number
  readonly restoreRate?: number
  readonly onRecord?: PresenceHandler['onRecord']
  /** In milliseconds. With it, nothing happens by itself. */
  readonly now?: () => number
}

/** A node that does with presence what a Comet does: it knows its live sessions, and their rooms. */
export class PresenceTestNode {
  readonly id: string
  readonly app: TestClient
  readonly presence: PresenceConnection
  readonly node: RedisPresenceNode
  readonly keys: Keys
  readonly events: UserActivityEvent[] = []
  readonly changes: RoomChange[] = []
  readonly statuses: boolean[] = []
  readonly takenOver: string[] = []
  /** Memberships that this node has brought back and others may not know, as `<uid> <rid>`. */
  readonly membershipsRestored: string[] = []
  /** Live sessions, by connection. */
  readonly live = new Map<string, RestorableSession>()
  readonly #grace: number
  #connections = 0

  constructor(id: string, namespace: string, app: TestClient, options: PresenceNodeOptions, grace: number) {
    const { activity = 'local', lease = 10_000, restoreRate = 100_000, onRecord, now } = options
    this.id = id
    this.app = app
    this.#grace = grace
    this.keys = new Keys(namespace)
    const handler: PresenceHandler = {
      id,
      namespace,
      activity,
      grace,
      onActivity: (events) => this.events.push(...events),
      onRecord,
      onRoomChange: (change) => this.changes.push(change),
      onStatus: ({ up }) => this.statuses.push(up),
      sessions: () => this.live.values(),
      onMembershipRestored: (uid, rid) => this.membershipsRestored.push(`${uid} ${rid}`),
      onSuperseded: (session) => {
        // As a Comet does: it may be told of one that has ended here already.
        if (!this.live.has(session.connection)) return
        this.takenOver.push(session.connection)
        this.drop(session).catch(() => {})
      },
    }
    const nodes = new Nodes(() => connectionOf(app.client), lease)
    const storeClock = now && (() => String(now() * 1_000))
    const clock = storeClock === undefined ? {} : { storeClock }
    this.node = new RedisPresenceNode(handler, nodes.of({ id, namespace, receives: true }), {
      restoreRate,
      ...clock,
      allJoined: () => undefined,
    })
    this.presence = presenceConnection(this.node)
  }

  /** The transitions that the node was told of since the last call. */
  reportedEvents(): UserActivityEvent[] {
    return this.events.splice(0)
  }

  reported(): string[] {
    return this.reportedEvents().map(show)
  }

  /** A session has moved to another node. */
  forget(sid: string): void {
    for (const [connection, session] of this.live) if (session.sid === sid) this.live.delete(connection)
  }

  /** Connects a session. @returns what names it */
  async connect(
    uid: string,
    rids: readonly string[] = [],
    more: { clientId?: string; info?: unknown; requestNumber?: number; by?: GrantedBy } = {},
  ): Promise<SessionConnection> {
    this.#connections += 1
    const connection = `${this.id}.${uid}.${this.#connections}`
    const { by = 'url', ...named } = more
    const rooms = rids.map((rid) => ({ rid, by }))
    const admission = await this.presence.connect({ uid, connection, ...named }, rooms)
    if (admission === undefined) throw new Error('A later request of the page is connected.')
    const { sid, memberships } = admission
    this.live.set(connection, { uid, sid, connection, ...named, rooms: admission.rooms, memberships })
    return { uid, sid, connection }
  }

  /** Ends the stream of a session, with grace unless it is told to end at once. */
  async drop(session: SessionConnection, grace = this.#grace): Promise<boolean> {
    const known = this.live.get(session.connection)
    this.live.delete(session.connection)
    return await this.presence.disconnect(session, grace, known && (() => known))
  }

  /** Sends a command to Redis. */
  async send(...args: string[]): Promise<unknown> {
    return await connectionOf(this.app.client).send(args[1] ?? '', args)
  }
}

const open: PresenceTestNode[] = []

export async function joinPresence(
  port: number,
  id: string,
  namespace = 'test',
  options: PresenceNodeOptions = {},
  grace = 60_000,
): Promise<PresenceTestNode> {
  const make = CLIENTS[options.library ?? 'redis 6, RESP 3'] as (typeof CLIENTS)[string]
  const node = new PresenceTestNode(id, namespace, await make(port), options, grace)
  open.push(node)
  await node.node.joined
  return node
}

/** Closes all nodes of {@link joinPresence}: for `afterEach`. */
export async function closePresence(): Promise<void> {
  const all = open.splice(0)
  await Promise.all(all.map(({ presence }) => presence.close()))
  for (const { app } of all) app.close()
}

/** Ends a node without a word, as `kill -9` does. */
export function killPresence(node: PresenceTestNode): void {
  open.splice(open.indexOf(node), 1)
  node.app.close()
  node.presence.close()
}
