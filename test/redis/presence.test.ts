import { redisCluster } from '../../adapters/redis/index.ts'
import { presenceContract } from '../contracts/presence.ts'
import { CLIENTS, type TestClient } from '../support/redis-clients.ts'
import { RedisServer } from '../support/redis-server.ts'
import '../support/process-guard.ts'

for (const [name, make] of Object.entries(CLIENTS)) {
  describe(`RedisPresence: ${name}`, () => {
    let server: RedisServer
    let app: TestClient | undefined

    before(async function () {
      server = await RedisServer.start(this)
    })
    after(() => server?.stop())
    afterEach(() => app?.close())

    presenceContract({ describe, it, beforeEach, afterEach }, async () => {
      app = await make(server.port)
      await server.flush()
      return redisCluster(app.client).presence
    })
  })
}
