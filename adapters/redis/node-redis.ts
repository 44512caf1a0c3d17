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

interface NodeRedisBase extends Emitter {
  readonly isOpen: boolean
  destroy(): unknown
  connect(): Promise<unknown>
}

/**
 * What the adapter uses of the clients that `createClient`, `createCluster` and `createSentinel` of the package `redis`
 * make, version 5 or 6. Their `sendCommand` take different arguments.
 */
export type NodeRedisClient = NodeRedisBase & {
  // biome-ignore lint/suspicious/noExplicitAny: three signatures that have nothing in common
  sendCommand(...args: any[]): Promise<unknown>
}

/** What is not in the public types of all three. */
interface Hidden {
  readonly isReady?: boolean
  readonly isPubSubActive?: boolean
  readonly options?: { readonly RESP?: number; readonly socket?: object }
  /** Of a cluster, in both versions. */
  readonly _options?: { readonly defaults?: { readonly socket?: object } }
  duplicate?: (overrides?: object) => NodeRedisClient
  nodeClient?: unknown
  getMasterNode?: unknown
}

/** The options of a command. The app's own are not used, which may ask for Buffers, or time it out while it blocks. */
const COMMAND_OPTIONS = { asap: false, timeout: undefined, abortSignal: undefined, typeMapping: {} }

/**
 * Settings of a connection that blocks: nothing ends it early. It is not repaired when it is lost, because its user opens
 * another one, and a client that is destroyed while it connects again would keep the new socket open.
 */
const BLOCKING_SOCKET = { connectTimeout: ANSWER_MS, reconnectStrategy: false, socketTimeout: undefined }

/** Tells a client of `redis` from others. */
export function isNodeRedis(client: object): client is NodeRedisClient {
  return typeof (client as Partial<NodeRedisClient>).sendCommand === 'function'
}

/** @throws CometError INVALID_OPTION for a client with which the adapter cannot work */
export function checkNodeRedis(client: NodeRedisClient): void {
  const { destroy, duplicate, getMasterNode, isPubSubActive, options } = client as NodeRedisClient & Hidden
  if (typeof duplicate !== 'function' && typeof getMasterNode === 'function') {
    throw refused(
      'is for Sentinel and of version 5, which cannot open a second connection. Install version 6',
    )
  }
  if (typeof duplicate !== 'function') {
    throw refused(
      'is a pool, or a part of another one. Give what createClient, createCluster or createSentinel made',
    )
  }
  if (typeof destroy !== 'function')
    throw refused('is of an old version. Install version 5 or 6: npm install redis@6')
  // Version 6, which alone has key prefixes, speaks RESP 3 unless it is told to speak RESP 2.
  const protocol = options?.RESP ?? ('_keyPrefix' in client ? 3 : 2)
  if (isPubSubActive === true && protocol === 2) {
    throw refused(
      'is in subscriber mode, in which it cannot send commands. Give another one, such as client.duplicate()',
    )
  }
}

function refused(why: string): CometError {
  return new CometError('INVALID_OPTION', `The client of the package redis ${why}.`)
}

/** The app's client, or a duplicate of it, as a connection. */
export class NodeRedisConnection implements RedisConnection {
  readonly #client: NodeRedisClient & Hidden
  readonly #isOwn: boolean
  readonly #isForOneServer: boolean
  readonly #call: (key: string, args: readonly string[]) => Promise<unknown>
  /** Whether an own client for one server waits for a socket. */
  #isConnecting = false

  constructor(client: NodeRedisClient, isOwn = false) {
    this.#client = client as NodeRedisClient & Hidden
    this.#isOwn = isOwn
    guardErrors(client)
    const isCluster = typeof this.#client.nodeClient === 'function'
    const isSentinel = !isCluster && typeof this.#client.getMasterNode === 'function'
    this.#isForOneServer = !isCluster && !isSentinel
    if (isCluster) {
      this.#call = (key, args) => client.sendCommand(key, false, args, COMMAND_OPTIONS)
    } else if (isSentinel) {
      this.#call = (_key, args) => client.sendCommand(false, args, COMMAND_OPTIONS)
    } else {
      this.#call = (_key, args) => client.sendCommand(args, COMMAND_OPTIONS)
    }
    if (isOwn && this.#isForOneServer) this.#followSocket()
  }

  get isReady(): boolean {
    // A cluster of version 5 tells only that it is open.
    return this.#client.isReady ?? this.#client.isOpen
  }

  get trouble(): Error {
    return notConnected(this.#client)
  }

  send(key: string, args: readonly string[], timeout = ANSWER_MS): Promise<Reply> {
    if (!this.#client.isOpen) return Promise.reject(this.trouble)
    return answerOf(this.#call(key, args), timeout)
  }

  async duplicate(): Promise<RedisConnection> {
    const client = (this.#client.duplicate as (overrides?: object) => NodeRedisClient)(this.#overrides())
    const connection = new NodeRedisConnection(client, true)
    try {
      await withDeadline(client.connect(), ANSWER_MS, 'The client of the package redis did not connect')
    } catch (error) {
      connection.close()
      throw error
    }
    return connection
  }

  /** Settings that two connections must not share, or that do not suit one that blocks. */
  #overrides(): object {
    const { options, _options } = this.#client
    const socketOf = (from?: { readonly socket?: object }) => ({ ...from?.socket, ...BLOCKING_SOCKET })
    if (this.#isForOneServer) return { clientSideCache: undefined, socket: socketOf(options) }
    const { defaults } = _options ?? {}
    return { clientSideCache: undefined, defaults: { ...defaults, socket: socketOf(defaults) } }
  }

  close(): void {
    if (!this.#isOwn) return
    const destroy = () => {
      try {
        // A Sentinel client's is asynchronous. A client that is closed already throws.
        Promise.resolve(this.#client.destroy()).catch(() => {})
      } catch {}
    }
    // The client knows a socket from when it is connected: before that it would be left open, and keep the process.
    if (this.#isConnecting) for (const event of ['connect', 'error']) this.#client.on(event, destroy)
    else destroy()
  }

  /** An own client is connected as soon as it is made. */
  #followSocket(): void {
    this.#isConnecting = true
    const follow = (event: string, isConnecting: boolean) =>
      this.#client.on(event, () => {
        this.#isConnecting = isConnecting
      })
    follow('connect', false)
    follow('error', false)
    follow('reconnecting', true)
  }
}
