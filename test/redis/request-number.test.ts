import assert from 'node:assert/strict'
import { connectionOf } from '../../adapters/redis/client.ts'
import { redisCluster } from '../../adapters/redis/index.ts'
import { PRESENCE_KEYS, SCRIPT } from '../../adapters/redis/presence-node.ts'
import { connectOperation } from '../../adapters/redis/presence-operations.ts'
import type { Comet } from '../../lib/index.ts'
import { closeComets, makeComet } from '../support/comets.ts'
import { scaled, until } from '../support/inbox.ts'
import { MemoryTransport } from '../support/memory-transport.ts'
import { closePresence, joinPresence, type PresenceTestNode } from '../support/presence-nodes.ts'
import { CLIENTS } from '../support/redis-clients.ts'
import { RedisProxy } from '../support/redis-proxy.ts'
import { RedisServer } from '../support/redis-server.ts'
import '../support/process-guard.ts'

const LATER = /later request/
const page = (requestNumber?: number) => ({
  clientId: 'page',
  ...(requestNumber === undefined ? {} : { requestNumber }),
})

describe('RedisPresence: the number of a request', function () {
  this.timeout(scaled(30_000))
  let server: RedisServer
  let proxy: RedisProxy | undefined

  before(async function () {
    server = await RedisServer.start(this)
  })
  after(() => server?.stop())
  beforeEach(() => server.flush())
  afterEach(async () => {
    await closePresence()
    await closeComets()
    proxy?.close()
    proxy = undefined
  })

  /** Waits until nodes have restored their sessions, of which the store had lost something or everything. */
  async function restored(...nodes: PresenceTestNode[]): Promise<void> {
    for (const { presence, node } of nodes) {
      await until(() =>
        presence.isOnline('nobody').then(
          () => !node.isRestoring,
          () => false,
        ),
      )
    }
  }

  it('is restored after a loss of data, also over a takeover', async () => {
    const a = await joinPresence(server.port, 'a')
    const b = await joinPresence(server.port, 'b')
    await a.connect('alice', ['den'], page(7))
    await b.connect('bob', ['den'], page(4))
    const bob = await a.connect('bob', [], page(5))
    b.forget(bob.sid)
    await server.flush()
    await until(async () => (await a.presence.isOnline('alice').catch(() => false)) === true)
    await restored(a, b)
    await assert.rejects(b.connect('alice', [], page(6)), LATER)
    await assert.rejects(b.connect('bob', [], page(4)), LATER)
    assert.equal((await b.connect('bob', [], page(6))).sid, bob.sid)
    assert.deepEqual(await b.presence.roomsOf('alice'), ['den'])
  })

  it('is restored when the lease of its node had ended, and does not count meanwhile', async () => {
    let time = 1_700_000_000_000
    const options = { lease: 10_000, now: () => time }
    const a = await joinPresence(server.port, 'a', 'test', options, 5_000)
    const b = await joinPresence(server.port, 'b', 'test', options, 5_000)
    await a.connect('alice', [], page(7))
    const bob = await a.connect('bob', [], page(7))
    await assert.rejects(b.connect('alice', [], page(6)), LATER)
    for (let second = 0; second < 12; second += 1) {
      time += 1_000
      b.node.renew()
      await b.node.sweep()
    }
    assert.equal((await b.presence.locate(bob.sid))?.connected, false)
    assert.equal((await b.connect('bob', [], page(1))).sid, bob.sid)
    a.node.renew()
    await until(async () => !(await a.presence.isOnline('nobody')) && !a.node.isRestoring)
    await assert.rejects(b.connect('alice', [], page(6)), LATER)
    assert.deepEqual(a.takenOver, [bob.connection])
    await assert.rejects(a.connect('bob', [], page(0)), LATER)
  })

  it('is absent from sessions that are as an earlier version stored them', async () => {
    const a = await joinPresence(server.port, 'a')
    const alice = await a.connect('alice', ['den'], page(5))
    const strip = `
      local user = { cmsgpack.unpack(redis.call('HGET', KEYS[1], 'ualice')) }
      user[4][1][11] = nil
      redis.call('HSET', KEYS[1], 'ualice', cmsgpack.pack(unpack(user)))
      return #user[4][1]`
    assert.equal(await a.send('EVAL', strip, '1', a.keys.of('presence')), 10)
    assert.equal((await a.connect('alice', [], page(2))).sid, alice.sid)
    await assert.rejects(a.connect('alice', [], page(1)), LATER)
    assert.deepEqual(await a.presence.roomsOf('alice'), ['den'])
  })

  for (const library of ['redis 6, RESP 3', 'ioredis 5, RESP 2']) {
    it(`has the same answer when a call is repeated whose answer was lost: ${library}`, async () => {
      proxy = await RedisProxy.to(server.port)
      const a = await joinPresence(proxy.port, 'a', 'test', { library })
      const b = await joinPresence(server.port, 'b')
      const late = await b.connect('alice', ['den'], page(5))
      for (let round = 0; round < 5; round += 1) {
        const lost = proxy.loseAnswer()
        const early = a.connect('alice', ['attic'], page(4))
        await assert.rejects(early, LATER)
        await lost
      }
      assert.ok(proxy.lost >= 5)
      const lost = proxy.loseAnswer()
      const next = await a.connect('alice', ['hall'], page(6))
      await lost
      assert.equal(next.sid, late.sid)
      // What was carried out counts, also while its answer is on its way.
      await assert.rejects(b.connect('alice', [], page(5)), LATER)
      assert.deepEqual(await b.presence.roomsOf('alice'), ['den', 'hall'])
      assert.deepEqual(a.reported(), ['ENTER_ROOM alice hall'])
    })
  }

  it('has the answer that it had, though the session has gone since', async () => {
    const now = 1_700_000_000_000
    const a = await joinPresence(server.port, 'a', 'test', { now: () => now })
    const b = await joinPresence(server.port, 'b', 'test', { now: () => now })
    const late = await b.connect('alice', [], page(5))
    await assert.rejects(a.connect('alice', [], page(4)), LATER)
    await b.drop(late, 0)
    const again = connectOperation({ uid: 'alice', connection: 'again', ...page(4) }, [])
    const args = ['a', '1', 'another attempt', '', `${now * 1_000}`, '0', `${now * 1_000}`, '', ...again]
    const keys = PRESENCE_KEYS.map((name) => a.keys.of(name))
    const answer = (await SCRIPT.run(connectionOf(a.app.client), keys, args)) as readonly string[]
    assert.deepEqual([answer[0], answer[4], answer[5]], ['DONE', '', []])
    assert.equal(await a.presence.isOnline('alice'), false)
  })

  it('keeps an earlier request from a later one on Comets of two processes', async () => {
    const apps = await Promise.all(
      ['redis 6, RESP 3', 'ioredis 6, RESP 3'].map((name) =>
        (CLIENTS[name] as (typeof CLIENTS)[string])(server.port),
      ),
    )
    const errors: Error[] = []
    const comets = apps.map(({ client }) => {
      const { comet } = makeComet({ ...redisCluster(client), offlineGrace: 60_000 })
      comet.on('error', (error) => errors.push(error))
      return comet
    })
    await Promise.all(comets.map(({ ready }) => ready))
    const [one, two] = comets as [Comet, Comet]
    const open = async (comet: Comet, requestNumber: number) => {
      const transport = new MemoryTransport()
      await comet.connect({ identity: 'alice', clientId: 'page', transport, requestNumber, rids: ['den'] })
      return transport
    }
    const late = await open(one, 2)
    await assert.rejects(open(two, 1), { code: 'UNAVAILABLE', message: /later request/ })
    const later = await open(two, 3)
    await until(() => late.closed)
    await assert.rejects(open(one, 2), { code: 'UNAVAILABLE', message: /later request/ })
    assert.deepEqual([later.closed, errors], [false, []])
    await one.publish({ rid: 'den', evt: 'hi' })
    await until(() => later.published.length === 1)
    await closeComets()
    for (const app of apps) app.close()
  })
})
