import { Redis } from 'ioredis'
import { until } from './inbox.ts'
import { freePort } from './nginx.ts'
import { RedisServer } from './redis-server.ts'

const SLOTS = 16_384

/** A Redis Cluster of three masters, without replicas. */
export class RedisClusterServers {
  readonly servers: readonly RedisServer[]

  private constructor(servers: readonly RedisServer[]) {
    this.servers = servers
  }

  /** Where redis-server is not installed, the tests are pending. */
  static async start(test: Mocha.Context): Promise<RedisClusterServers> {
    const servers: RedisServer[] = []
    const buses: number[] = []
    for (let count = 0; count < 3; count += 1) {
      const bus = await freePort()
      const args = [
        '--cluster-enabled',
        'yes',
        '--cluster-node-timeout',
        '2000',
        '--cluster-port',
        String(bus),
      ]
      servers.push(await RedisServer.start(test, { args }))
      buses.push(bus)
    }
    const clients = servers.map(({ port }) => new Redis({ port, host: '127.0.0.1' }))
    const each = Math.ceil(SLOTS / servers.length)
    for (const [index, client] of clients.entries()) {
      const last = Math.min(SLOTS, (index + 1) * each) - 1
      await client.call('cluster', 'addslotsrange', String(index * each), String(last))
      await client.call('cluster', 'set-config-epoch', String(index + 1))
      await client.call('cluster', 'meet', '127.0.0.1', String(servers[0]?.port), String(buses[0]))
    }
    const isUp = async (client: Redis) => {
      const info = String(await client.call('cluster', 'info'))
      return info.includes('cluster_state:ok') && info.includes('cluster_known_nodes:3')
    }
    await until(async () => (await Promise.all(clients.map(isUp))).every(Boolean), 'a Redis Cluster')
    for (const client of clients) client.disconnect()
    return new RedisClusterServers(servers)
  }

  async stop(): Promise<void> {
    for (const server of this.servers) await server.stop()
  }
}
