import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { redisCluster } from '../../adapters/redis/index.ts'
import type { Comet } from '../../lib/index.ts'
import { closeComets, makeComet } from '../support/comets.ts'
import { scaled, until } from '../support/inbox.ts'
import { MemoryTransport } from '../support/memory-transport.ts'
import { RedisServer } from '../support/redis-server.ts'
import '../support/process-guard.ts'

for (const [what, appendOnly] of [
  ['without data', false],
  ['with an append-only file', true],
] as const) {
  describe(`A stream that ends when Redis crashes ${what}`, function () {
    this.timeout(scaled(60_000))
    let server: RedisServer
    let client: Redis
    let comet: Comet
    let log: string[]

    beforeEach(async function () {
      server = await RedisServer.start(this, { appendOnly })
      client = new Redis({ port: server.port, retryStrategy: () => 20 })
      client.on('error', () => {})
      const made = makeComet({ ...redisCluster(client), offlineGrace: 3_000 })
      comet = made.comet
      log = made.reported
      await comet.ready
    })
    afterEach(async () => {
      await closeComets()
      client.disconnect()
      await server?.stop()
    })

    async function connect(): Promise<MemoryTransport> {
      const transport = new MemoryTransport()
      await comet.connect({ identity: 'alice', transport, rids: ['den'], clientId: 'page' })
      return transport
    }

    /** Ends the stream of alice, who is in two rooms, before this node has noticed the crash. */
    async function crash(): Promise<void> {
      const transport = await connect()
      await comet.enter({ uid: 'alice' }, 'hall')
      await server.kill()
      transport.drop()
      await sleep(200)
      await server.restart()
    }

    it('says that its user has left its rooms, and is offline', async () => {
      await crash()
      await until(() => log.includes('OFFLINE alice'), undefined, scaled(10_000))
      assert.deepEqual(log, [
        ...['ONLINE alice', 'ENTER_ROOM alice den', 'ENTER_ROOM alice hall'],
        ...['LEAVE_ROOM alice den', 'LEAVE_ROOM alice hall', 'OFFLINE alice'],
      ])
    })

    it('says nothing when its page is back in time', async () => {
      await crash()
      let back: MemoryTransport | undefined
      await until(async () => {
        back = await connect().catch(() => undefined)
        return back !== undefined
      })
      await sleep(4_000)
      assert.deepEqual(log, ['ONLINE alice', 'ENTER_ROOM alice den', 'ENTER_ROOM alice hall'])
      assert.deepEqual(await comet.roomsOf('alice'), ['den', 'hall'])
    })
  })
}
