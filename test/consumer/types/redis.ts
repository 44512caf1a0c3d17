import { Comet, Publisher } from 'comet-sse'
import { type RedisCluster, type RedisClusterOptions, redisCluster } from 'comet-sse/redis'
import { Cluster, Redis } from 'ioredis'
import { createClient, createCluster, createSentinel } from 'redis'

const options: RedisClusterOptions = { lease: 10_000 }
const cluster: RedisCluster = redisCluster('redis://localhost:6379', options)
export const comet = new Comet({ ...cluster, activity: 'cluster', heard: 'record' })
export const publisher = new Publisher(cluster)

// Clients of both libraries, single, of a cluster, and behind Sentinel.
redisCluster(createClient())
redisCluster(createClient({ RESP: 3 }))
redisCluster(createCluster({ rootNodes: [{ url: 'redis://localhost:6379' }] }))
redisCluster(createSentinel({ name: 'main', sentinelRootNodes: [{ host: 'localhost', port: 26_379 }] }))
redisCluster(new Redis())
redisCluster(new Cluster([{ host: 'localhost', port: 6_379 }]))

// @ts-expect-error
redisCluster()
// @ts-expect-error
redisCluster({})
// @ts-expect-error
redisCluster(new Redis(), { lease: '10s' })

comet.on('status', ({ port, up, error, rejected }) => {
  const name: 'broker' | 'presence' | 'controller' = port
  return [name, up, error?.message, rejected]
})
