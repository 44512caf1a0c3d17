import { Redis as IoRedis } from 'ioredis'
import { createClient } from 'redis'
import { redisCluster } from '../../adapters/redis/index.ts'
import type { Ports } from './cluster-node.ts'
import type { NodeSettings } from './node-process.ts'

/** Connects an app to Redis as its own client does, and makes the ports of its Comet. */
export async function redisPorts({ redis: port, library, lease }: NodeSettings): Promise<Ports> {
  const client =
    library === 'redis'
      ? await createClient({ url: `redis://127.0.0.1:${port}` })
          .on('error', () => {})
          .connect()
      : new IoRedis({ port, host: '127.0.0.1' }).on('error', () => {})
  return { ...redisCluster(client, { lease }) }
}
