export type { RedisClient } from './client.ts'
export { type RedisCluster, type RedisClusterOptions, redisCluster } from './cluster.ts'
