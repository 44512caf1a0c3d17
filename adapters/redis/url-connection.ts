import { CometError } from '../../lib/errors.ts'
import type { RedisConnection, Reply } from './connection.ts'
import { type NodeRedisClient, NodeRedisConnection } from './node-redis.ts'

/** A connection by a client of the package `redis`, which is imported and made when it is first needed. */
export class UrlConnection implements RedisConnection {
  readonly #url: string
  #opening: Promise<NodeRedisConnection> | undefined
  #connection: NodeRedisConnection | undefined
  #failure: Error | undefined
  #isClosed = false

  constructor(url: string) {
    this.#url = url
  }

  get isReady(): boolean {
    if (this.#connection === undefined) this.#open().catch(() => {})
    return !this.#isClosed && (this.#connection?.isReady ?? false)
  }

  get trouble(): Error {
    return this.#connection?.trouble ?? this.#failure ?? new Error('There is no connection to Redis yet.')
  }

  async send(key: string, args: readonly string[], timeout?: number): Promise<Reply> {
    return await (await this.#open()).send(key, args, timeout)
  }

  async duplicate(): Promise<RedisConnection> {
    return await (await this.#open()).duplicate()
  }

  /** For good: a node that left may still ask something, which must not open it again. */
  close(): void {
    this.#isClosed = true
    this.#opening?.then(
      (connection) => connection.close(),
      () => {},
    )
  }

  /** Makes the client once; again after it failed. */
  #open(): Promise<NodeRedisConnection> {
    if (this.#isClosed) return Promise.reject(new Error('The connection to Redis is closed.'))
    if (this.#opening !== undefined) return this.#opening
    const opening = make(this.#url)
    this.#opening = opening
    opening.then(
      (connection) => {
        this.#connection = connection
      },
      (error) => {
        this.#failure = error
        this.#opening = undefined
      },
    )
    return opening
  }
}

async function make(url: string): Promise<NodeRedisConnection> {
  const { createClient } = await importRedis()
  const client = createClient({ url }) as unknown as NodeRedisClient
  const connection = new NodeRedisConnection(client, true)
  // It tries for ever, and rejects when it is closed meanwhile.
  client.connect().catch(() => {})
  return connection
}

async function importRedis(): Promise<typeof import('redis')> {
  try {
    return await import('redis')
  } catch (cause) {
    const message =
      'A URL was given to redisCluster, which needs the package redis. Install it (npm install redis), or give a client.'
    throw new CometError('INVALID_OPTION', message, { cause })
  }
}
