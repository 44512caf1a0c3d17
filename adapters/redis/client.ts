import { CometError } from '../../lib/errors.ts'
import { kindOf } from '../../lib/util/kind-of.ts'
import type { RedisConnection } from './connection.ts'
import { checkIoRedis, type IoRedisClient, IoRedisConnection, isIoRedis } from './ioredis.ts'
import { checkNodeRedis, isNodeRedis, type NodeRedisClient, NodeRedisConnection } from './node-redis.ts'
import { UrlConnection } from './url-connection.ts'

/** A client of the package `redis` (version 5 or 6) or `ioredis` (5 or 6): for one server, Sentinel or a cluster. */
export type RedisClient = NodeRedisClient | IoRedisClient

const WANTED =
  'a client of the package redis (5 or 6) or ioredis (5 or 6), or a URL such as redis://localhost:6379'

/**
 * Makes a connection of what the app gives. The app's client is never connected nor closed: a client of `redis` that is
 * not connected yet is waited for, and `'error'` listeners are added to both, so that what they emit harms nobody. A
 * URL makes a client of the package `redis`, which {@link RedisConnection.close} ends.
 *
 * @throws CometError INVALID_OPTION when it is no client, or one that does not fit
 */
export function connectionOf(client: RedisClient | string): RedisConnection {
  if (typeof client === 'string') return new UrlConnection(checkUrl(client))
  if (client instanceof Promise) throw notAClient('a Promise of one: await it')
  if (typeof client !== 'object' || client === null) throw notAClient(kindOf(client))
  if (isIoRedis(client)) {
    checkIoRedis(client)
    return new IoRedisConnection(client)
  }
  if (!isNodeRedis(client)) throw notAClient(kindOf(client))
  checkNodeRedis(client)
  return new NodeRedisConnection(client)
}

function checkUrl(text: string): string {
  const scheme = URL.canParse(text) ? new URL(text).protocol : undefined
  // The text itself is not shown: it may have a password.
  if (scheme !== 'redis:' && scheme !== 'rediss:') throw notAClient('a text without redis:// or rediss://')
  return text
}

function notAClient(found: string): CometError {
  return new CometError('INVALID_OPTION', `The client must be ${WANTED}, not ${found}.`)
}
