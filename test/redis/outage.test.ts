import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { connectionOf } from '../../adapters/redis/client.ts'
import type { RedisConnection } from '../../adapters/redis/connection.ts'
import { type RedisClient, redisCluster } from '../../adapters/redis/index.ts'
import { Keys } from '../../adapters/redis/keys.ts'
import { NumberedCalls, numberedScript } from '../../adapters/redis/numbered-calls.ts'
import { Health } from '../../lib/ports/health.ts'
import { brokerNode, controllerNode } from '../contracts/handlers.ts'
import { PATIENCE_MS, scaled, until, within } from '../support/inbox.ts'
import { CLIENTS, type TestClient } from '../support/redis-clients.ts'
import { closeNodes, joinNode } from '../support/redis-nodes.ts'
import { RedisProxy } from '../support/redis-proxy.ts'
import { RedisServer } from '../support/redis-server.ts'
import { sampled } from '../support/tier.ts'
import '../support/process-guard.ts'

const LIBRARIES = sampled(
  ['redis 6, RESP 3', 'redis 5, RESP 2', 'ioredis 6, RESP 3', 'ioredis 5, RESP 2'],
  ['redis 6, RESP 3', 'ioredis 6, RESP 3'],
)

for (const library of LIBRARIES) {
  describe(`An outage of Redis: ${library}`, function () {
    this.timeout(scaled(60_000))
    let server: RedisServer

    beforeEach(async function () {
      server = await RedisServer.start(this, { appendOnly: true })
    })
    afterEach(async () => {
      await closeNodes()
      await server?.stop()
    })

    it('is told once, and its end once, and what was published meanwhile is delivered in order', async () => {
      const a = await joinNode(server.port, 'a', 'n', { library })
      const b = await joinNode(server.port, 'b', 'n', { library })
      await Promise.all([a.broker.ready, b.broker.ready])
      await a.publish('0')
      await server.kill()
      const texts = Array.from({ length: 500 }, (_, index) => String(index + 1))
      const published = texts.map((text) => a.publish(text))
      await until(() => a.statuses.length === 1 && b.statuses.length === 1)
      const late = a.publish('501')
      await assert.rejects(a.controller.request('b', { type: 'any' }, 100), { code: 'OWNER_UNREACHABLE' })
      // Long enough for the clients to try several times.
      await sleep(1_500)
      await server.restart()
      await Promise.all([...published, late])
      await until(() => b.got.length === 502 && a.statuses.length === 2 && b.statuses.length === 2)
      assert.deepEqual(b.texts(), ['0', ...texts, '501'])
      assert.deepEqual(a.texts(), b.texts())
      assert.deepEqual(
        [a.statuses, b.statuses],
        [
          [false, true],
          [false, true],
        ],
      )
      assert.deepEqual([a.begun.length, b.begun.length], [1, 1])
    })

    it('is no outage when it is over within a second', async () => {
      const a = await joinNode(server.port, 'a', 'n', { library })
      await a.broker.ready
      let longest = 0
      for (let count = 0; count < 3; count += 1) {
        const start = performance.now()
        await server.kill()
        await server.restart()
        await a.publish(String(count))
        await until(() => a.got.length > count)
        longest = Math.max(longest, performance.now() - start)
      }
      assert.deepEqual([a.texts(), a.begun.length], [['0', '1', '2'], 1])
      // On a busy machine a restart may take longer.
      if (longest < 900) assert.deepEqual(a.statuses, [])
    })

    it('is noticed when Redis answers nothing any more', async () => {
      const a = await joinNode(server.port, 'a', 'n', { library })
      await a.broker.ready
      server.pause()
      const published = a.publish('x')
      await until(() => a.statuses.length === 1, 'an outage', 2 * PATIENCE_MS)
      server.resume()
      await published
      await until(() => a.statuses.length === 2)
      assert.deepEqual([a.texts(), a.statuses, a.begun.length], [['x'], [false, true], 1])
    })

    it('lets a node leave at once', async () => {
      const a = await joinNode(server.port, 'a', 'n', { library })
      await a.broker.ready
      await server.kill()
      const published = a.publish('x')
      await Promise.all([
        assert.rejects(published, { code: 'SHUTTING_DOWN' }),
        within(a.close(), 'leaving', 2 * PATIENCE_MS),
      ])
    })
  })
}

describe('A node that has not reached Redis', () => {
  let server: RedisServer

  beforeEach(async function () {
    server = await RedisServer.start(this)
  })
  afterEach(() => server?.stop())

  for (const [name, make, connect] of [
    [
      'redis',
      (port: number) => createClient({ url: `redis://127.0.0.1:${port}` }),
      (client: RedisClient) => (client as ReturnType<typeof createClient>).connect(),
    ],
    ['ioredis', (port: number) => new Redis({ port, lazyConnect: true, retryStrategy: () => 20 }), () => {}],
  ] as const) {
    it(`knows no position, lets publish wait, and says so: ${name}`, async () => {
      await server.kill()
      const client = make(server.port)
      const ports = redisCluster(client)
      const errors: (Error | undefined)[] = []
      const { node, got, begun } = brokerNode('a', 'n', { onStatus: ({ error }) => errors.push(error) })
      const broker = ports.broker.join(node)
      const controller = ports.controller.join(controllerNode('a', async () => null, 'n'))
      const published = broker.publish({ to: {}, data: 'x' })
      await until(() => errors.length === 1)
      assert.ok(errors[0] instanceof Error)
      assert.deepEqual([broker.position(), begun], [undefined, []])
      await server.restart()
      await connect(client)
      await published
      await until(() => errors.length === 2)
      assert.deepEqual(
        got.map(({ data }) => data),
        ['x'],
      )
      await controller.close()
      await broker.close()
      if ('destroy' in client) client.destroy()
      else client.disconnect()
    })
  }

  it('may leave', async () => {
    await server.kill()
    const client = new Redis({ port: server.port })
    const broker = redisCluster(client).broker.join(brokerNode('a').node)
    const published = broker.publish({ to: {}, data: 'x' })
    await Promise.all([broker.close(), assert.rejects(published, { code: 'SHUTTING_DOWN' })])
    client.disconnect()
  })
})

describe('NumberedCalls', () => {
  let server: RedisServer
  let proxy: RedisProxy
  let app: TestClient
  let direct: TestClient
  let connection: RedisConnection
  const keys = new Keys('n')
  const list = keys.of('list')
  const append = numberedScript(`return '' .. redis.call('RPUSH', KEYS[3], ARGV[5])`)

  before(async function () {
    server = await RedisServer.start(this)
  })
  after(() => server?.stop())
  beforeEach(async () => {
    proxy = await RedisProxy.to(server.port)
    // Unlike ioredis it does not send again by itself what was not answered.
    const make = CLIENTS['redis 6, RESP 3'] as (typeof CLIENTS)[string]
    app = await make(proxy.port)
    direct = await make(server.port)
    connection = connectionOf(app.client)
    await until(() => connection.isReady)
  })
  afterEach(async () => {
    await connectionOf(direct.client).send('x', ['FLUSHALL'])
    app.close()
    direct.close()
    proxy.close()
  })

  const items = () => connectionOf(direct.client).send(list, ['LRANGE', list, '0', '-1'])

  it('find out whether a call that became void has happened', async () => {
    const calls = new NumberedCalls(connection, keys, 'c', 'test', new Health(() => {}))
    await calls.call(append, [list], ['a'])
    let isVoid = false
    const lost = proxy.loseAnswer()
    const happened = calls.call(append, [list], ['b'], () => isVoid)
    await lost
    isVoid = true
    assert.equal(await happened, '2')
    assert.deepEqual(await items(), ['a', 'b'])
    await calls.close()
  })

  it('let a call that became void never happen', async function () {
    this.timeout(scaled(20_000))
    const calls = new NumberedCalls(connection, keys, 'c', 'test', new Health(() => {}))
    await calls.call(append, [list], ['a'])
    let isVoid = false
    proxy.stall()
    const call = calls.call(append, [list], ['b'], () => isVoid)
    await sleep(50)
    // The call is on its way, and arrives after the one that makes it void.
    isVoid = true
    proxy.cut()
    proxy.resume()
    assert.equal(await within(call, 'a void call', 2 * PATIENCE_MS), undefined)
    await append.run(
      connectionOf(direct.client),
      [keys.calls, keys.callers, list],
      ['c:test', '2:1', '0', '1000', 'b'],
    )
    assert.deepEqual(await items(), ['a'])
    assert.equal(await calls.call(append, [list], ['c']), '2')
    await calls.close()
  })

  it('tell a script that Redis has lost calls', async () => {
    const tell = numberedScript(`return lost and 'lost' or 'all there'`)
    const calls = new NumberedCalls(connection, keys, 'c', 'test', new Health(() => {}))
    const answers = [await calls.call(tell, [], []), await calls.call(tell, [], [])]
    await connectionOf(direct.client).send('x', ['FLUSHALL'])
    answers.push(await calls.call(tell, [], []), await calls.call(tell, [], []))
    assert.deepEqual(answers, ['all there', 'all there', 'lost', 'all there'])
    await calls.close()
  })
})

describe('redisCluster(url)', () => {
  let server: RedisServer

  before(async function () {
    server = await RedisServer.start(this)
  })
  after(() => server?.stop())

  it('makes a client, and ends it with the last node', async () => {
    const { broker } = redisCluster(server.url)
    const { node, got } = brokerNode('a')
    const joined = broker.join(node)
    await joined.ready
    await joined.publish({ to: {}, data: 'x' })
    assert.equal(got.length, 1)
    await joined.close()
    const again = broker.join(brokerNode('b').node)
    await again.ready
    await again.close()
    const other = await (CLIENTS['ioredis 6, RESP 3'] as (typeof CLIENTS)[string])(server.port)
    const clients = async () =>
      String(await connectionOf(other.client).send('x', ['CLIENT', 'LIST', 'TYPE', 'normal']))
        .trim()
        .split('\n')
    await until(async () => (await clients()).length === 1)
    other.close()
  })
})
