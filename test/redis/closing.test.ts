import assert from 'node:assert/strict'
import { connectionOf } from '../../adapters/redis/client.ts'
import { type RedisClient, redisCluster } from '../../adapters/redis/index.ts'
import { Comet } from '../../lib/index.ts'
import { PATIENCE_MS, scaled, until, within } from '../support/inbox.ts'
import { MemoryTransport } from '../support/memory-transport.ts'
import { CLIENTS, type TestClient } from '../support/redis-clients.ts'
import { RedisProxy } from '../support/redis-proxy.ts'
import { RedisServer } from '../support/redis-server.ts'
import { isSoak, sampled } from '../support/tier.ts'
import '../support/process-guard.ts'

interface App {
  readonly client: RedisClient | string
  close(): void
}

const APPS: Readonly<Record<string, (port: number) => Promise<App>>> = {
  ...CLIENTS,
  'a URL': async (port) => ({ client: `redis://127.0.0.1:${port}`, close: () => {} }),
}

const NAMES = sampled(
  ['redis 6, RESP 3', 'redis 5, RESP 2', 'ioredis 6, RESP 3', 'ioredis 5, RESP 2', 'a URL'],
  ['redis 6, RESP 3', 'redis 5, RESP 2', 'ioredis 6, RESP 3', 'a URL'],
)

/** What keeps this process alive, such as sockets and timers, by kind. */
function holders(): Map<string, number> {
  const counts = new Map<string, number>()
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  return counts
}

/** Waits until nothing keeps this process alive that did not before. */
async function untilReleased(before: ReadonlyMap<string, number>): Promise<void> {
  const left = () => Array.from(holders()).filter(([kind, count]) => count > (before.get(kind) ?? 0))
  await until(
    () => left().length === 0,
    () => `free of ${left().join(' ')}`,
  )
}

for (const name of NAMES) {
  describe(`A Comet on Redis that closes: ${name}`, function () {
    this.timeout(scaled(40_000))
    let server: RedisServer
    let proxy: RedisProxy
    let direct: TestClient
    let before: Map<string, number>
    let app: App
    let comet: Comet

    beforeEach(async function () {
      server = await RedisServer.start(this)
      proxy = await RedisProxy.to(server.port)
      direct = await (CLIENTS['redis 6, RESP 3'] as (typeof CLIENTS)[string])(server.port)
      before = holders()
      app = await (APPS[name] as (typeof APPS)[string])(proxy.port)
      comet = new Comet({ canEnter: () => true, offlineGrace: 60_000, ...redisCluster(app.client) })
      comet.on('error', () => {})
      await comet.ready
      await comet.connect({ identity: 'alice', transport: new MemoryTransport(), rids: ['den'] })
    })
    afterEach(async () => {
      await comet?.close({ drain: 0 })
      app?.close()
      direct?.close()
      proxy?.close()
      await server?.stop()
    })

    /** Closes all, and waits until nothing is left of it. */
    async function closesWholly(): Promise<void> {
      await within(comet.close({ drain: 0 }), 'closing', 2 * PATIENCE_MS)
      app.close()
      await untilReleased(before)
    }

    async function connections(): Promise<number> {
      const list = await connectionOf(direct.client).send('x', ['CLIENT', 'LIST', 'TYPE', 'normal'])
      return String(list).trim().split('\n').length - 1
    }

    it('holds nothing back while its reader connects again, and never has more than two connections', async () => {
      for (let count = 0; count < 3; count += 1) {
        proxy.cut()
        await comet.publish({ rid: 'den', evt: String(count) })
        await until(async () => (await connections()) >= 2)
      }
      await until(async () => (await connections()) === 2, 'two connections')
      proxy.cut()
      await closesWholly()
      assert.equal(await connections(), 0)
    })

    it('holds nothing back while Redis is away', async () => {
      await server.kill()
      direct.close()
      await until(() => comet.stats().ports.broker === 'down')
      await closesWholly()
    })

    // It takes 7 s, because each port waits for Redis.
    if (!isSoak && name !== NAMES[0]) return
    it('holds nothing back while Redis does not answer, which was told to load a script', async () => {
      await connectionOf(direct.client).send('x', ['SCRIPT', 'FLUSH'])
      direct.close()
      const stopped = new Promise<void>((resolve) => {
        proxy.before(/\r\neval\r\n/i, () => {
          server.pause()
          resolve()
        })
      })
      const published = assert.rejects(comet.publish({ rid: 'den', evt: 'x' }))
      await stopped
      await Promise.all([published, closesWholly()])
    })
  })
}

describe('A Comet that closes before it has reached Redis', () => {
  it('rejects `ready`, and reports nothing', async () => {
    const errors: unknown[] = []
    const comet = new Comet({ ...redisCluster('redis://127.0.0.1:1') })
    comet.on('error', (error) => errors.push(error))
    const ready = assert.rejects(comet.ready, { code: 'SHUTTING_DOWN' })
    await within(Promise.all([comet.close(), ready]), 'the end')
    assert.deepEqual(errors, [])
  })
})

describe('A connection that a URL made', () => {
  let server: RedisServer

  before(async function () {
    server = await RedisServer.start(this)
  })
  after(() => server?.stop())

  for (const when of ['while it connects', 'later']) {
    it(`is not opened again by what a node that has left still asks, when it is closed ${when}`, async () => {
      // Mocha sets its timer when it has called the test.
      await new Promise(setImmediate)
      const before = holders()
      const connection = connectionOf(server.url)
      if (when === 'later') await until(() => connection.isReady)
      else assert.equal(connection.isReady, false)
      connection.close()
      assert.equal(connection.isReady, false)
      await assert.rejects(connection.send('k', ['PING']))
      await assert.rejects(connection.duplicate())
      await untilReleased(before)
      assert.equal(connection.isReady, false)
      await untilReleased(before)
    })
  }
})
