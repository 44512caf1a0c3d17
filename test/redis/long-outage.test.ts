import { redisCluster } from '../../adapters/redis/index.ts'
import type { Comet } from '../../lib/index.ts'
import { closeComets, makeComet } from '../support/comets.ts'
import { scaled } from '../support/inbox.ts'
import { AWAY_MS, outlast } from '../support/long-outage.ts'
import { CLIENTS, type TestClient } from '../support/redis-clients.ts'
import { RedisServer } from '../support/redis-server.ts'
import '../support/process-guard.ts'

describe('An app whose Redis is away for long, under load', function () {
  this.timeout(scaled(AWAY_MS + 60_000))
  let server: RedisServer
  const apps: TestClient[] = []

  beforeEach(async function () {
    server = await RedisServer.start(this, { appendOnly: true })
  })
  afterEach(async () => {
    await closeComets()
    for (const app of apps.splice(0)) app.close()
    await server?.stop()
  })

  async function join(library: string): Promise<Comet> {
    const app = await (CLIENTS[library] as (typeof CLIENTS)[string])(server.port)
    apps.push(app)
    const { comet } = makeComet({ ...redisCluster(app.client), offlineGrace: 60_000, historyEvents: 1_000 })
    await comet.ready
    return comet
  }

  it('keeps its memory flat, says each end once, and delivers all that was accepted', async () => {
    const one = await join('redis 6, RESP 3')
    const two = await join('ioredis 6, RESP 3')
    await outlast(one, two, { name: 'Redis', server, ports: ['broker', 'controller', 'presence'] })
  })
})
