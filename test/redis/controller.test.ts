import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectionOf } from '../../adapters/redis/client.ts'
import { Keys } from '../../adapters/redis/keys.ts'
import { CometError } from '../../lib/index.ts'
import { PATIENCE_MS, scaled, until } from '../support/inbox.ts'
import { closeNodes, joinNode, type RedisTestNode } from '../support/redis-nodes.ts'
import { RedisProxy } from '../support/redis-proxy.ts'
import { RedisServer } from '../support/redis-server.ts'
import '../support/process-guard.ts'

describe('RedisController', function () {
  this.timeout(scaled(30_000))
  let server: RedisServer
  let proxy: RedisProxy
  let namespaces = 0
  let namespace = ''

  before(async function () {
    server = await RedisServer.start(this)
  })
  after(() => server?.stop())
  beforeEach(async () => {
    namespaces += 1
    namespace = `n${namespaces}`
    proxy = await RedisProxy.to(server.port)
  })
  afterEach(async () => {
    proxy.resume()
    await closeNodes()
    proxy.close()
  })

  async function join(id: string, options: Parameters<typeof joinNode>[3] = {}, port = server.port) {
    const node = await joinNode(port, id, namespace, options)
    await node.broker.ready
    return node
  }

  const ask = (from: RedisTestNode, type: string, timeout: number) =>
    from.controller.request('b', { type }, timeout).catch(({ code }) => code)

  it('reaches a node that was cut off for less than the deadline, and not after it', async () => {
    const a = await join('a')
    const b = await join('b', {}, proxy.port)
    await ask(a, 'first', PATIENCE_MS)
    proxy.stall()
    const asked = [ask(a, 'short', 300), ask(a, 'long', 20_000)]
    await sleep(700)
    proxy.resume()
    assert.deepEqual(await Promise.all(asked), ['OWNER_UNREACHABLE', null])
    assert.deepEqual(b.log, ['first', 'long'])
  })

  it('does not carry out a command whose deadline passed before Redis could be reached', async () => {
    const a = await join('a', {}, proxy.port)
    const b = await join('b')
    await ask(a, 'first', PATIENCE_MS)
    proxy.stall()
    const asked = [ask(a, 'short', 300), ask(a, 'long', 20_000)]
    await sleep(700)
    proxy.resume()
    assert.deepEqual(await Promise.all(asked), ['OWNER_UNREACHABLE', null])
    assert.deepEqual(
      b.log.filter((type) => type !== 'short'),
      ['first', 'long'],
    )
  })

  it('refuses at once a node whose lease has ended, and reaches it again when it is back', async () => {
    const cluster = { lease: 600 }
    const a = await join('a', { cluster })
    const b = await join('b', { cluster }, proxy.port)
    proxy.stall()
    await until(async () => (await ask(a, 'any', 20)) === 'NO_SUCH_SESSION')
    const start = performance.now()
    assert.equal(await ask(a, 'late', 20_000), 'NO_SUCH_SESSION')
    assert.ok(performance.now() - start < 2_000)
    proxy.resume()
    await until(async () => (await ask(a, 'again', PATIENCE_MS)) === null)
    assert.equal(b.log.includes('late'), false)
  })

  it('carries back what a node of another version says', async () => {
    const a = await join('a')
    await join('b', {
      handle: async ({ type }) => {
        if (type === 'unknown') throw new CometError('INTERNAL', 'There is no command "unknown".')
        if (type === 'new code')
          throw Object.assign(new CometError('INTERNAL', 'Of later.'), { code: 'LATER' })
        if (type === 'no error') throw 'a text'
        if (type === 'no JSON') return 1n
        return undefined
      },
    })
    const request = (type: string) => a.controller.request('b', { type }, PATIENCE_MS)
    await assert.rejects(request('unknown'), { code: 'INTERNAL', message: 'There is no command "unknown".' })
    await assert.rejects(request('new code'), { code: 'INTERNAL', message: 'Of later.' })
    await assert.rejects(request('no error'), { code: 'INTERNAL' })
    await assert.rejects(request('no JSON'), { code: 'INTERNAL' })
    assert.equal(await request('nothing'), undefined)
  })

  it('leaves nothing of a node that has left', async () => {
    const a = await join('a')
    const b = await join('b')
    await ask(a, 'any', PATIENCE_MS)
    const keys = new Keys(namespace)
    const send = (...args: string[]) => connectionOf(a.client).send(keys.nodes, args)
    await b.close()
    assert.equal(await send('EXISTS', keys.inbox('b')), 0)
    assert.equal(await send('ZSCORE', keys.nodes, 'b'), null)
    assert.deepEqual(
      ((await send('HKEYS', keys.calls)) as string[]).map((field) => field[0]),
      ['a'],
    )
    assert.equal(await ask(a, 'any', PATIENCE_MS), 'NO_SUCH_SESSION')
    await assert.rejects(b.controller.tell({ type: 'any' }), { code: 'SHUTTING_DOWN' })
    await assert.rejects(b.publish('x'), { code: 'SHUTTING_DOWN' })
  })

  it('does not fill the inbox of a node that reads it', async () => {
    const a = await join('a', { cluster: { lease: 600 } })
    await join('b', { cluster: { lease: 600 } })
    const keys = new Keys(namespace)
    for (let count = 0; count < 500; count += 1) await ask(a, 'x'.repeat(1_000), PATIENCE_MS)
    const lengthOf = async (id: string) =>
      Number(await connectionOf(a.client).send(keys.inbox(id), ['XLEN', keys.inbox(id)]))
    await until(async () => (await lengthOf('a')) < 300 && (await lengthOf('b')) < 300)
  })

  it('rejects what was asked when its own node leaves', async () => {
    const a = await join('a')
    await join('b', { handle: () => new Promise(() => {}) })
    const asked = ask(a, 'never', 60_000)
    await sleep(50)
    await a.close()
    assert.equal(await asked, 'OWNER_UNREACHABLE')
  })
})
