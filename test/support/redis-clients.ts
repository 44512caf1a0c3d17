import { Redis as IoRedis } from 'ioredis'
import { Redis as IoRedis5 } from 'ioredis5'
import { createClient } from 'redis'
import { createClient as createClient5 } from 'redis5'
import type { RedisClient } from '../../adapters/redis/index.ts'

/** A client of an app, and what ends it. */
export interface TestClient {
  readonly client: RedisClient
  close(): void
}

/** How long a client waits before it connects again, in milliseconds. By default some wait for seconds. */
const RECONNECT_MS = 20

type Make = (port: number) => Promise<TestClient>

const nodeRedis =
  (create: typeof createClient, RESP: 2 | 3): Make =>
  async (port) => {
    const socket = { host: '127.0.0.1', port, reconnectStrategy: RECONNECT_MS }
    const client = create({ socket, RESP })
    client.on('error', () => {})
    await client.connect()
    return { client, close: () => client.isOpen && client.destroy() }
  }

const ioRedis =
  (Client: typeof IoRedis, protocol: 2 | 3): Make =>
  async (port) => {
    const client = new Client({ port, host: '127.0.0.1', protocol, retryStrategy: () => RECONNECT_MS })
    client.on('error', () => {})
    return { client, close: () => client.disconnect() }
  }

/** Every library and protocol that the adapter supports. */
export const CLIENTS: Readonly<Record<string, Make>> = {
  'redis 6, RESP 3': nodeRedis(createClient, 3),
  'redis 6, RESP 2': nodeRedis(createClient, 2),
  'redis 5, RESP 2': nodeRedis(createClient5 as unknown as typeof createClient, 2),
  'redis 5, RESP 3': nodeRedis(createClient5 as unknown as typeof createClient, 3),
  'ioredis 6, RESP 3': ioRedis(IoRedis, 3),
  'ioredis 6, RESP 2': ioRedis(IoRedis, 2),
  'ioredis 5, RESP 2': ioRedis(IoRedis5 as unknown as typeof IoRedis, 2),
}
