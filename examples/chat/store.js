import { MemoryRooms } from './rooms.js'

/**
 * Makes what the chat keeps its rooms in, and the options by which its Comet reaches those of other processes.
 *
 * @param {string | undefined} url the address of a Redis, such as redis://localhost:6379. Undefined: this process is alone
 */
export async function makeStore(url) {
  if (url === undefined) return { rooms: new MemoryRooms(), cluster: {}, closeStore: async () => {} }
  const { createClient } = await import('redis')
  const { redisCluster } = await import('comet-sse/redis')
  const { RedisRooms } = await import('./redis-rooms.js')
  const redis = createClient({ url })
  redis.on('error', (error) => console.error(error))
  await redis.connect()
  return { rooms: new RedisRooms(redis), cluster: redisCluster(redis), closeStore: () => redis.close() }
}
