import assert from 'node:assert/strict'
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { connectionOf } from '../../adapters/redis/client.ts'
import { Keys } from '../../adapters/redis/keys.ts'
import { scaled, until } from '../support/inbox.ts'
import { closeNodes, joinNode, type RedisTestNode } from '../support/redis-nodes.ts'
import { RedisProxy } from '../support/redis-proxy.ts'
import { RedisServer, type RedisSettings } from '../support/redis-server.ts'
import '../support/process-guard.ts'

describe('Data that Redis loses', function () {
  this.timeout(scaled(30_000))
  let server: RedisServer
  let proxy: RedisProxy | undefined

  async function start(test: Mocha.Context, settings: RedisSettings = {}): Promise<void> {
    server = await RedisServer.start(test, settings)
  }

  async function joinBoth(): Promise<[RedisTestNode, RedisTestNode]> {
    const a = await joinNode(server.port, 'a', 'n')
    const b = await joinNode(server.port, 'b', 'n', { library: 'ioredis 6, RESP 3' })
    await Promise.all([a.broker.ready, b.broker.ready])
    return [a, b]
  }

  /** Sends a command to Redis over the client of a node. */
  function send(node: RedisTestNode, ...args: string[]) {
    return connectionOf(node.client).send(args[1] ?? '', args)
  }

  /** Copies the data of Redis: see {@link killAndBringBackOlderData}. */
  async function saveData(): Promise<void> {
    const data = join(server.folder, 'appendonlydir')
    await cp(data, `${data}-old`, { recursive: true })
  }

  /** As when a machine loses power before its disk has all that Redis has acknowledged. */
  async function killAndBringBackOlderData(): Promise<void> {
    const data = join(server.folder, 'appendonlydir')
    await server.kill()
    await rm(data, { recursive: true })
    await cp(`${data}-old`, data, { recursive: true })
    await server.restart()
  }

  /** Waits until a node has checked that a new process of the server has lost nothing. */
  async function untilChecked(over: RedisTestNode): Promise<void> {
    const run = await runIdOf(over)
    await until(async () => String(await send(over, 'HGET', meta, 'run')) === run)
  }

  async function runIdOf(node: RedisTestNode): Promise<string> {
    return /run_id:(\w+)/.exec(String(await send(node, 'INFO', 'server')))?.[1] ?? ''
  }

  /** Publishes, and waits until all nodes have it. */
  async function publishTo(nodes: readonly RedisTestNode[], ...texts: string[]): Promise<void> {
    for (const text of texts) await nodes[0]?.publish(text)
    await until(() => nodes.every((node) => node.texts().at(-1) === texts.at(-1)))
  }

  const { events, meta } = new Keys('n')

  afterEach(async () => {
    await closeNodes()
    proxy?.close()
    proxy = undefined
    await server?.stop()
  })

  it('is none after a crash with an append-only file: nothing is lost, and no gap is told', async function () {
    await start(this, { appendOnly: true })
    const [a, b] = await joinBoth()
    await publishTo([a, b], '1', '2')
    const before = a.broker.position() as string
    await server.kill()
    const during = ['3', '4'].map((text) => b.publish(text))
    await server.restart()
    await Promise.all(during)
    await publishTo([a, b], '5')
    assert.deepEqual(
      [a.texts(), b.texts()],
      [
        ['1', '2', '3', '4', '5'],
        ['1', '2', '3', '4', '5'],
      ],
    )
    assert.deepEqual([a.begun.length, b.begun.length], [1, 1])
    assert.ok((a.broker.compare(before, a.broker.position() as string) ?? 0) < 0)
  })

  it('begins a new order on every node, once, when all is gone', async function () {
    await start(this)
    const [a, b] = await joinBoth()
    await publishTo([a, b], '1')
    const before = a.broker.position() as string
    await server.kill()
    await server.restart()
    await until(() => a.begun.length === 2 && b.begun.length === 2)
    await publishTo([a, b], '2')
    await publishTo([b, a], '3')
    assert.deepEqual([a.begun.length, b.begun.length], [2, 2])
    assert.equal(a.begun[1], b.begun[1])
    assert.deepEqual(
      [a.texts(), b.texts()],
      [
        ['1', '2', '3'],
        ['1', '2', '3'],
      ],
    )
    assert.equal(a.broker.compare(before, a.broker.position() as string), undefined)
    await a.broker.reach(before, 60_000)
    // Asked before the lease of `a` is back, `b` cannot answer.
    await until(
      async () =>
        await a.controller.request('b', { type: 'any' }, scaled(500)).then(
          () => true,
          () => false,
        ),
    )
    assert.equal(await a.controller.request('b', { type: 'any' }, scaled(5_000)), null)
  })

  it('begins a new order when it comes back with older data', async function () {
    await start(this, { appendOnly: true })
    const [a, b] = await joinBoth()
    await publishTo([a, b], '1', '2')
    await saveData()
    await publishTo([a, b], '3', '4')
    await killAndBringBackOlderData()
    await until(() => a.begun.length === 2 && b.begun.length === 2)
    await publishTo([b, a], '5')
    assert.deepEqual(
      [a.texts(), b.texts()],
      [
        ['1', '2', '3', '4', '5'],
        ['1', '2', '3', '4', '5'],
      ],
    )
    assert.deepEqual([a.begun.length, b.begun.length], [2, 2])
    const c = await joinNode(server.port, 'c', 'n')
    await c.broker.ready
    assert.deepEqual(
      c.restored.map(({ data }) => data),
      ['5'],
    )
  })

  it('is noticed by a node that was away while others wrote on after older data', async function () {
    await start(this, { appendOnly: true })
    proxy = await RedisProxy.to(server.port)
    const a = await joinNode(proxy.port, 'a', 'n')
    const publisher = await joinNode(server.port, 'p', 'n', { receives: false })
    await Promise.all([a.broker.ready, publisher.broker.ready])
    await publisher.publish('1')
    await until(() => a.got.length === 1)
    await saveData()
    await a.publish('2')
    proxy.stall()
    await killAndBringBackOlderData()
    // It knows nothing of what was lost.
    for (const text of ['3', '4', '5']) await publisher.publish(text)
    proxy.cut()
    proxy.resume()
    await until(() => a.begun.length === 2)
    await publisher.publish('6')
    await until(() => a.texts().at(-1) === '6')
    assert.deepEqual(a.texts(), ['1', '2', '6'])
    assert.equal(a.begun.length, 2)
    const epochOf = (position?: string) => position?.split('.')[0]
    assert.notEqual(epochOf(a.got[2]?.position), epochOf(a.got[1]?.position))
  })

  it('is noticed by who published what nobody has read', async function () {
    await start(this, { appendOnly: true })
    proxy = await RedisProxy.to(server.port)
    const a = await joinNode(proxy.port, 'a', 'n')
    const publisher = await joinNode(server.port, 'p', 'n', { receives: false })
    await Promise.all([a.broker.ready, publisher.broker.ready])
    await publisher.publish('1')
    await until(() => a.got.length === 1)
    await saveData()
    proxy.stall()
    await publisher.publish('lost')
    await killAndBringBackOlderData()
    proxy.cut()
    proxy.resume()
    // It finds all that it has read.
    await untilChecked(publisher)
    await publisher.publish('2')
    await until(() => a.got.length === 2)
    assert.deepEqual([a.texts(), a.begun.length], [['1', '2'], 2])
  })

  for (const [what, isThere] of [
    ['when all have ended that have seen it', false],
    ['when all stand still that have seen it', true],
  ] as const) {
    it(`is noticed by a node that starts ${what}`, async function () {
      await start(this, { appendOnly: true })
      proxy = await RedisProxy.to(server.port)
      const a = await joinNode(proxy.port, 'a', 'n')
      await a.broker.ready
      await a.publish('1')
      const seen = a.broker.position() as string
      await saveData()
      await a.publish('lost')
      proxy.stall()
      await killAndBringBackOlderData()
      if (!isThere) await a.close()
      const b = await joinNode(server.port, 'b', 'n')
      const c = await joinNode(server.port, 'c', 'n')
      await Promise.all([b.broker.ready, c.broker.ready])
      assert.deepEqual([b.begun.length, c.begun], [1, b.begun])
      assert.equal(b.broker.compare(seen, b.broker.position() as string), undefined)
      await publishTo([b, c], '2')
      if (!isThere) return
      proxy.cut()
      proxy.resume()
      await until(() => a.texts().at(-1) === '2')
      assert.deepEqual([a.texts(), a.begun.length], [['1', 'lost', '2'], 2])
    })
  }

  it('is looked for once after a restart: a node that starts later trusts the check of another one', async function () {
    await start(this, { appendOnly: true })
    const [a, b] = await joinBoth()
    await publishTo([a, b], '1')
    await server.kill()
    await server.restart()
    await publishTo([a, b], '2')
    await untilChecked(a)
    const c = await joinNode(server.port, 'c', 'n')
    await c.broker.ready
    assert.equal(a.broker.compare(c.broker.position() as string, a.broker.position() as string), 0)
    assert.deepEqual([a.begun.length, b.begun.length], [1, 1])
  })

  for (const [what, command] of [
    ['the stream', ['DEL', events]],
    ['what is known of its end', ['DEL', meta]],
    ['everything', ['FLUSHALL']],
  ] as const) {
    it(`is noticed while nobody publishes: ${what}`, async function () {
      await start(this)
      const [a, b] = await joinBoth()
      await publishTo([a, b], '1')
      await send(a, ...command)
      await until(() => a.begun.length === 2 && b.begun.length === 2)
      await publishTo([a, b], '2')
      assert.deepEqual(
        [a.texts(), b.texts()],
        [
          ['1', '2'],
          ['1', '2'],
        ],
      )
      assert.deepEqual(
        [a.begun, b.begun],
        [
          [a.begun[0], a.begun[1]],
          [b.begun[0], a.begun[1]],
        ],
      )
    })

    it(`is noticed amid what is published: ${what}`, async function () {
      await start(this)
      const [a, b] = await joinBoth()
      await publishTo([a, b], '1')
      await send(a, ...command)
      await publishTo([a, b], '2', '3')
      await publishTo([b, a], '4')
      assert.deepEqual(
        [a.texts(), b.texts()],
        [
          ['1', '2', '3', '4'],
          ['1', '2', '3', '4'],
        ],
      )
      assert.deepEqual([a.begun.length, b.begun.length], [2, 2])
    })
  }

  it('may have an entry of somebody else, whatever its time', async function () {
    await start(this)
    const [a, b] = await joinBoth()
    await publishTo([a, b], '1')
    await send(a, 'XADD', events, '10000000000000-5', 'a', 'b')
    await publishTo([a, b], '2', '3')
    assert.deepEqual(b.texts(), ['1', '2', '3'])
  })

  it('is noticed when the clock of Redis was set back, too', async function () {
    await start(this)
    const [a, b] = await joinBoth()
    await publishTo([a, b], '1')
    // As if what follows was made by an earlier clock.
    await send(a, 'FLUSHALL')
    await send(a, 'XADD', events, '1000-1', 'e', 'otherone', 'p', '1000-0.0', 'w', '', 'd', '')
    const run = await runIdOf(a)
    const fields = { format: '1', epoch: 'otherone', link: '1000-1.0', start: '1000-1', run }
    await send(a, 'HSET', meta, ...Object.entries(fields).flat())
    await until(() => a.begun.length === 2 && b.begun.length === 2)
    assert.deepEqual([a.begun[1], b.begun[1]], ['otherone.1000-1.0', 'otherone.1000-1.0'])
    await publishTo([a, b], '2')
    assert.deepEqual([a.begun.length, b.begun.length], [2, 2])
  })

  it('trimmed before it was read is told to the node that lagged, and to no other', async function () {
    await start(this)
    const a = await joinNode(server.port, 'a', 'n')
    proxy = await RedisProxy.to(server.port)
    const b = await joinNode(proxy.port, 'b', 'n')
    await Promise.all([a.broker.ready, b.broker.ready])
    await publishTo([a, b], '1')
    proxy.stall()
    for (const text of ['2', '3', '4']) await a.publish(text)
    await send(a, 'XTRIM', events, 'MAXLEN', '1')
    proxy.resume()
    await until(() => b.texts().at(-1) === '4')
    // What answers the read that waits is on its way already.
    assert.deepEqual(a.texts(), ['1', '2', '3', '4'])
    assert.equal(b.texts().includes('3'), false)
    assert.deepEqual([a.begun.length, b.begun.length], [1, 2])
    assert.equal(b.begun[1], a.got[2]?.position)
    proxy.stall()
    for (const text of ['5', '6', '7']) await a.publish(text)
    await send(a, 'XTRIM', events, 'MAXLEN', '0')
    proxy.resume()
    await until(() => b.begun.length === 3)
    await publishTo([a, b], '8')
    assert.deepEqual([a.begun.length, b.begun.length], [1, 3])
    assert.equal(b.begun[2], a.got[6]?.position)
    assert.equal(b.texts().includes('7'), false)
  })
})
