import { CometError } from '../../lib/errors.ts'
import type { Broker } from '../../lib/ports/broker.ts'
import type { Controller } from '../../lib/ports/controller.ts'
import type { Presence } from '../../lib/ports/presence.ts'
import { checkOptions } from '../../lib/util/known-keys.ts'
import { RedisBroker } from './broker.ts'
import { connectionOf, type RedisClient } from './client.ts'
import { type RedisConnection, withDeadline } from './connection.ts'
import { RedisController } from './controller.ts'
import { RedisNode } from './node.ts'
import { RedisPresence } from './presence.ts'

/** Options of {@link redisCluster}. */
export interface RedisClusterOptions {
  /**
   * How long a node counts as alive after Redis has last heard of it, in milliseconds. It tells Redis each third of that.
   * A shorter time finds a dead node's users offline sooner, and a node that stands still dead by mistake.
   *
   * @default 10_000
   */
  readonly lease?: number
  /**
   * How many sessions a node restores in a second after Redis lost data. Until all are restored, `isOnline`, `members`
   * and `count` do not know of the others, and the more there are the longer newcomers wait for an answer.
   *
   * @default 200
   */
  readonly restoreRate?: number
}

/** The ports of a cluster, for the options of a Comet. */
export interface RedisCluster {
  readonly broker: Broker
  readonly presence: Presence
  readonly controller: Controller
}

/** How long the nodes of a process wait for one that joins, in milliseconds. */
const OPENING_MS = 1_000

/** The shortest lease, in milliseconds. */
const LEAST_LEASE = 300

/**
 * Lets Comets in many processes, on many machines, be one cluster that shares a Redis.
 *
 * @example
 * const client = await createClient({ url: 'redis://localhost:6379' }).connect()
 * const comet = new Comet({ ...redisCluster(client) })
 *
 * @param client of the package `redis` or `ioredis`; or a URL, for which the package `redis` is imported. The adapter
 *   uses it for commands, and opens one more connection for each Comet. It never closes the app's client
 * @throws CometError INVALID_OPTION when the client does not fit
 */
export function redisCluster(client: RedisClient | string, options: RedisClusterOptions = {}): RedisCluster {
  const known = checkOptions('The options of redisCluster', options, ['lease', 'restoreRate'])
  const { lease = 10_000, restoreRate = 200 } = known
  if (typeof lease !== 'number' || !(lease >= LEAST_LEASE && lease <= 3_600_000)) {
    throw new CometError(
      'INVALID_OPTION',
      `Option lease must be from ${LEAST_LEASE} to 3,600,000 ms, not ${lease}.`,
    )
  }
  if (typeof restoreRate !== 'number' || !(restoreRate >= 1 && restoreRate <= 1_000_000)) {
    throw new CometError(
      'INVALID_OPTION',
      `Option restoreRate must be from 1 to 1,000,000 sessions a second, not ${restoreRate}.`,
    )
  }
  // At once, because it throws for a client that does not fit.
  connectionOf(client)
  const nodes = new Nodes(() => connectionOf(client), lease)
  return {
    broker: new RedisBroker((handler) => nodes.of(handler)),
    presence: new RedisPresence(
      (handler) => nodes.of(handler),
      () => connectionOf(client),
      { restoreRate },
    ),
    controller: new RedisController((handler) => nodes.of(handler)),
  }
}

interface Member {
  readonly id: string
  readonly namespace: string
  readonly receives: boolean
}

/** The nodes of this process that share a client: mostly one. */
export class Nodes {
  readonly #connect: () => RedisConnection
  readonly #lease: number
  /** What the nodes share. Undefined while there are none. */
  #connection: RedisConnection | undefined
  readonly #nodes = new Map<string, RedisNode>()
  /** Nodes that joined and have not reached Redis, each with what settles when others need not wait for it any more. */
  readonly #opening = new Map<RedisNode, { readonly namespace: string; readonly opened: Promise<unknown> }>()
  #hasWarned = false

  /** @param connect called for the first node, and for the first one after all have left */
  constructor(connect: () => RedisConnection, lease: number) {
    this.#connect = connect
    this.#lease = lease
  }

  /** Finds the node that a port of a Comet is of, or makes it. */
  of({ id, namespace, receives }: Member): RedisNode {
    const key = JSON.stringify([namespace, id])
    const known = this.#nodes.get(key)
    if (known !== undefined) return known
    this.#connection ??= this.#connect()
    const connection = this.#connection
    const node = new RedisNode({
      connection,
      namespace,
      id,
      receives,
      lease: this.#lease,
      allOpen: () => this.#allOpen(namespace),
      onPolicy: (policy) => this.#checkPolicy(policy),
      onClosing: () => {
        this.#nodes.delete(key)
        this.#opening.delete(node)
      },
      onClosed: () => {
        if (this.#nodes.size > 0 || this.#connection !== connection) return
        this.#connection = undefined
        connection.close()
      },
    })
    this.#nodes.set(key, node)
    const onOpen = () => this.#opening.delete(node)
    // One that gets no connection, because Redis has enough of them, must not hold up the others.
    const opened = withDeadline(node.opened, OPENING_MS, '').then(onOpen, onOpen)
    this.#opening.set(node, { namespace, opened })
    return node
  }

  /** So that what one node of the process sends reaches those that joined before, as it would without Redis. */
  #allOpen(namespace: string): Promise<unknown> | undefined {
    if (this.#opening.size === 0) return undefined
    const others = Array.from(this.#opening.values()).filter((other) => other.namespace === namespace)
    return Promise.all(others.map(({ opened }) => opened))
  }

  /** Warns once, because with another policy Redis removes what is still needed. */
  #checkPolicy(policy: string): void {
    if (policy === '' || policy === 'noeviction' || this.#hasWarned) return
    this.#hasWarned = true
    const advice =
      'Set it to noeviction: otherwise Redis may remove events and presence when its memory is full.'
    process.emitWarning(`The maxmemory-policy of Redis is ${policy}. ${advice}`, { type: 'CometWarning' })
  }
}
