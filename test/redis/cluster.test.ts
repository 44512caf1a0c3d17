import { Cluster } from 'ioredis'
import { Cluster as Cluster5 } from 'ioredis5'
import { createCluster } from 'redis'
import { createCluster as createCluster5 } from 'redis5'
import { redisCluster } from '../../adapters/redis/index.ts'
import { brokerContract } from '../contracts/broker.ts'
import { controllerContract } from '../contracts/controller.ts'
import { scaled, until } from '../support/inbox.ts'
import type { TestClient } from '../support/redis-clients.ts'
import { RedisClusterServers } from '../support/redis-cluster.ts'
import { sampled } from '../support/tier.ts'
import '../support/process-guard.ts'

type Make = (ports: readonly number[]) => Promise<TestClient>

const nodeRedis =
  (create: typeof createCluster, RESP: 2 | 3): Make =>
  async (ports) => {
    const client = create({ rootNodes: ports.map((port) => ({ socket: { host: '127.0.0.1', port } })), RESP })
    client.on('error', () => {})
    await client.connect()
    return { client, close: () => client.destroy() }
  }

const ioRedis =
  (Client: typeof Cluster, protocol: 2 | 3, options: object = {}): Make =>
  async (ports) => {
    const nodes = ports.map((port) => ({ host: '127.0.0.1', port }))
    const client = new Client(nodes, { redisOptions: { protocol }, ...options })
    await until(() => client.status === 'ready')
    return { client, close: () => client.disconnect() }
  }

const CLUSTER_CLIENTS: Readonly<Record<string, Make>> = {
  'redis 6, RESP 3': nodeRedis(createCluster, 3),
  'redis 6, RESP 2': nodeRedis(createCluster, 2),
  'redis 5, RESP 2': nodeRedis(createCluster5 as unknown as typeof createCluster, 2),
  'ioredis 6, RESP 3': ioRedis(Cluster, 3),
  'ioredis 6, reads from replicas': ioRedis(Cluster, 2, { scaleReads: 'slave', enableAutoPipelining: true }),
  'ioredis 5, RESP 2': ioRedis(Cluster5 as unknown as typeof Cluster, 2),
}

describe('A Redis Cluster of three masters', function () {
  this.timeout(scaled(20_000))
  let cluster: RedisClusterServers

  before(async function () {
    cluster = await RedisClusterServers.start(this)
  })
  after(() => cluster?.stop())

  const names = sampled(Object.keys(CLUSTER_CLIENTS), ['redis 6, RESP 3', 'ioredis 6, RESP 3'])
  for (const name of names) {
    const make = CLUSTER_CLIENTS[name] as Make

    describe(name, () => {
      let app: TestClient

      beforeEach(async () => {
        app = await make(cluster.servers.map(({ port }) => port))
      })
      afterEach(() => app.close())

      brokerContract({ describe, it, beforeEach, afterEach }, () => redisCluster(app.client).broker)
      controllerContract({ describe, it, beforeEach, afterEach }, () => redisCluster(app.client).controller)
    })
  }
})
