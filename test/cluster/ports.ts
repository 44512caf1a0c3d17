import { Redis as IoRedis } from 'ioredis'
import { createClient } from 'redis'
import { NatsBroker } from '../../adapters/nats/index.ts'
import { redisCluster } from '../../adapters/redis/index.ts'
import { connectNats } from '../support/nats-server.ts'
import type { Ports } from './cluster-node.ts'
import type { NodeSettings } from './node-process.ts'

/** Connects an app to its servers as its own clients do, and makes the ports of its Comet. */
export async function connectPorts({ redis: port, nats, library, lease }: NodeSettings): Promise<Ports> {
  const client =
    library === 'redis'
      ? await createClient({ url: `redis://127.0.0.1:${port}` })
          .on('error', () => {})
          .connect()
      : new IoRedis({ port, host: '127.0.0.1' }).on('error', () => {})
  const cluster = redisCluster(client, { lease })
  if (nats === undefined) return { ...cluster }
  const connection = await connectNats({ url: `nats://127.0.0.1:${nats}` })
  return { ...cluster, broker: new NatsBroker(connection, { jetstream: true }) }
}
