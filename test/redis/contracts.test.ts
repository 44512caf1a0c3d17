import { redisCluster } from '../../adapters/redis/index.ts'
import { brokerContract } from '../contracts/broker.ts'
import { controllerContract } from '../contracts/controller.ts'
import { CLIENTS, type TestClient } from '../support/redis-clients.ts'
import { RedisServer } from '../support/redis-server.ts'
import '../support/process-guard.ts'

for (const [name, make] of Object.entries(CLIENTS)) {
  describe(`redisCluster: ${name}`, () => {
    let server: RedisServer
    let app: TestClient

    before(async function () {
      server = await RedisServer.start(this)
    })
    after(() => server?.stop())
    beforeEach(async () => {
      app = await make(server.port)
    })
    afterEach(() => app.close())

    brokerContract({ describe, it, beforeEach, afterEach }, () => redisCluster(app.client).broker)
    controllerContract({ describe, it, beforeEach, afterEach }, () => redisCluster(app.client).controller)
  })
}
