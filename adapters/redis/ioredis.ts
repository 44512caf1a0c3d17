import { CometError } from '../../lib/errors.ts'
import {
  ANSWER_MS,
  answerOf,
  type Emitter,
  guardErrors,
  notConnected,
  type RedisConnection,
  type Reply,
  withDeadline,
} from './connection.ts'

/** What the adapter uses of a `Redis` or a `Cluster` of the package `ioredis`, version 5 or 6. */
export interface IoRedisClient extends Emitter {
  readonly status: string
  call(command: string, args: string[]): Promise<unknown>
  disconnect(): void
}

/** The settings of a client that the adapter looks at. */
interface Settings {
  readonly keyPrefix?: string
  readonly stringNumbers?: boolean
  readonly redisOptions?: Settings
}

/** What is not in the public types of both classes. */
interface Hidden {
  readonly isCluster?: boolean
  readonly mode?: string
  readonly options?: Settings
  connect(): Promise<unknown>
  duplicate(...args: unknown[]): IoRedisClient & Hidden
  once(event: string, listener: () => void): unknown
}

/** Settings of a connection that blocks: none may end a command early, and it fails at once with its connection. */
const BLOCKING = {
  autoResendUnfulfilledCommands: false,
  blockingTimeout: undefined,
  commandTimeout: undefined,
  // A server that stands still must not keep a connection that is given up.
  disconnectTimeout: 100,
  enableAutoPipelining: false,
  enableOfflineQueue: true,
  lazyConnect: false,
  maxRetriesPerRequest: null,
  retryStrategy: () => null,
  socketTimeout: undefined,
}

const BLOCKING_CLUSTER = {
  clusterRetryStrategy: () => null,
  enableAutoPipelining: false,
  enableOfflineQueue: true,
  lazyConnect: false,
  redisOptions: BLOCKING,
  scaleReads: 'master',
}

/** Tells a client of `ioredis` from others. */
export function isIoRedis(client: object): client is IoRedisClient {
  const { call, disconnect, status } = client as Partial<IoRedisClient>
  return typeof call === 'function' && typeof disconnect === 'function' && typeof status === 'string'
}

/** @throws CometError INVALID_OPTION for a client with a setting that the adapter cannot work with */
export function checkIoRedis(client: IoRedisClient): void {
  const { mode, options } = client as IoRedisClient & Hidden
  const all = { ...options, ...options?.redisOptions }
  if (typeof all.keyPrefix === 'string' && all.keyPrefix !== '') {
    throw refused(
      `has the keyPrefix ${JSON.stringify(all.keyPrefix)}. Give one without: Comet's keys begin with "comet:", and option namespace keeps apps apart`,
    )
  }
  if (all.stringNumbers === true) throw refused('has the option stringNumbers. Give one without')
  if (mode === 'subscriber' || mode === 'monitor') {
    throw refused(
      `is in ${mode} mode, in which it cannot send commands. Give another one, such as client.duplicate()`,
    )
  }
}

function refused(why: string): CometError {
  return new CometError('INVALID_OPTION', `The ioredis client ${why}.`)
}

/** The app's client, or a duplicate of it, as a connection. */
export class IoRedisConnection implements RedisConnection {
  readonly #client: IoRedisClient & Hidden
  readonly #isOwn: boolean

  constructor(client: IoRedisClient, isOwn = false) {
    this.#client = client as IoRedisClient & Hidden
    this.#isOwn = isOwn
    guardErrors(client)
    // As ioredis does it on the first command of a client with lazyConnect. It never rejects twice for one cause.
    if (client.status === 'wait') this.#client.connect().catch(() => {})
  }

  get isReady(): boolean {
    return this.#client.status === 'ready'
  }

  get trouble(): Error {
    return notConnected(this.#client)
  }

  send(_key: string, args: readonly string[], timeout = ANSWER_MS): Promise<Reply> {
    const [command = '', ...rest] = args
    // In lower case: ioredis finds the keys of others by it, by which it routes them in a cluster.
    return answerOf(this.#client.call(command.toLowerCase(), rest), timeout)
  }

  async duplicate(): Promise<RedisConnection> {
    const client = this.#client.isCluster
      ? this.#client.duplicate([], BLOCKING_CLUSTER)
      : this.#client.duplicate(BLOCKING)
    const connection = new IoRedisConnection(client, true)
    try {
      await withDeadline(untilReady(client), ANSWER_MS, 'ioredis did not connect')
    } catch (error) {
      connection.close()
      throw error
    }
    return connection
  }

  close(): void {
    if (this.#isOwn) this.#client.disconnect()
  }
}

function untilReady(client: IoRedisClient & Hidden): Promise<void> {
  return new Promise((resolve, reject) => {
    if (client.status === 'ready') resolve()
    client.once('ready', resolve)
    client.once('end', () => reject(notConnected(client)))
  })
}
