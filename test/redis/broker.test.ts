import assert from 'node:assert/strict'
import { connectionOf } from '../../adapters/redis/client.ts'
import { Keys } from '../../adapters/redis/keys.ts'
import { PATIENCE_MS, scaled, until, within } from '../support/inbox.ts'
import { closeNodes, joinNode, type RedisTestNode } from '../support/redis-nodes.ts'
import { RedisProxy } from '../support/redis-proxy.ts'
import { RedisServer } from '../support/redis-server.ts'
import { collectWarnings } from '../support/warnings.ts'
import '../support/process-guard.ts'

/** Sends a command to Redis over the client of a node. */
function send(node: RedisTestNode, ...args: string[]) {
  return connectionOf(node.client).send(args[1] ?? '', args)
}

describe('RedisBroker', function () {
  this.timeout(scaled(30_000))
  let server: RedisServer
  let namespaces = 0
  let namespace = ''
  let keys: Keys

  before(async function () {
    server = await RedisServer.start(this)
  })
  after(() => server?.stop())
  beforeEach(() => {
    namespaces += 1
    namespace = `n${namespaces}`
    keys = new Keys(namespace)
  })
  afterEach(closeNodes)

  async function join(id: string, options: Parameters<typeof joinNode>[3] = {}): Promise<RedisTestNode> {
    const node = await joinNode(server.port, id, namespace, options)
    await node.broker.ready
    return node
  }

  it('restores what was published before a node joined, and then delivers', async () => {
    const a = await join('a')
    const start = a.broker.position() as string
    const texts = Array.from({ length: 600 }, (_, index) => String(index))
    for (const text of texts) a.publish(text, text === '7' ? { transient: true } : {}).catch(assert.fail)
    await a.broker.published()
    const ages: number[] = []
    const restored: string[] = []
    const b = await joinNode(server.port, 'b', namespace, {
      restore: (delivery, age) => {
        restored.push(delivery.data)
        ages.push(age)
        assert.equal(b.broker.position(), undefined)
      },
    })
    await b.broker.ready
    await a.publish('live')
    await until(() => b.got.length === 1)
    assert.deepEqual(
      restored,
      texts.filter((text) => text !== '7'),
    )
    assert.deepEqual([b.texts(), b.begun.length], [['live'], 1])
    assert.ok(ages.every((age) => age >= 0 && age < PATIENCE_MS))
    assert.equal(b.broker.compare(start, b.begun[0] as string), 0)
    assert.equal(b.broker.compare(a.got[0]?.position as string, a.got[1]?.position as string), -1)
  })

  it('restores no more than the history would store', async () => {
    const a = await join('a')
    await a.publish('old')
    const mark = a.broker.position()
    const none = await join('b', { history: { age: 0, bytes: 1_000 } })
    assert.deepEqual([none.restored, none.begun], [[], [mark]])
    const small = await join('c', { history: { age: 60_000, bytes: 0 } })
    assert.deepEqual([small.restored, small.begun], [[], [mark]])
  })

  it('trims the stream by bytes, but keeps what the largest history needs', async () => {
    const bytes = 4 * 1_048_576
    const a = await join('a', { history: { age: 600_000, bytes } })
    const publisher = await join('p', { history: { age: 0, bytes: 0 }, receives: false })
    const text = 'x'.repeat(60_000)
    const sizeOf = async () => Number(await send(a, 'XLEN', keys.events)) * text.length
    for (let count = 0; count < 300; count += 1) await publisher.publish(text)
    assert.ok((await sizeOf()) >= bytes * 0.95, `${await sizeOf()}`)
    assert.ok((await sizeOf()) <= bytes * 1.2, `${await sizeOf()}`)
    await until(() => a.got.length === 300)
    const b = await join('b')
    assert.equal(b.begun.length, 1)
    assert.equal(b.restored.length, Number(await send(a, 'XLEN', keys.events)))
  })

  it('trims the stream by age', async () => {
    const a = await join('a', { history: { age: 30_000, bytes: 1_000_000_000 } })
    await a.publish('x')
    // As if they were published a minute ago. Redis trims in pieces of 100.
    await send(a, 'DEL', keys.events)
    const epoch = (a.broker.position() as string).slice(0, 8)
    const old = Date.now() - 60_000
    for (let count = 0; count < 500; count += 1) {
      await send(a, 'XADD', keys.events, `${old}-${count}`, 'e', epoch, 'p', '0-0.0', 'w', '', 'd', '[{}]')
    }
    for (let count = 0; count < 16; count += 1) await a.publish('y')
    assert.ok(Number(await send(a, 'XLEN', keys.events)) < 200)
  })

  it('lets every key end by itself when no node uses it', async () => {
    const a = await join('a')
    const b = await join('b')
    await a.publish('x')
    await a.controller.request('b', { type: 'any' }, PATIENCE_MS)
    const all = (await send(a, 'KEYS', `${keys.prefix}*`)) as string[]
    assert.ok(all.length >= 6, String(all))
    for (const key of all) {
      const left = Number(await send(a, 'PTTL', key))
      assert.ok(left > 3_500_000 && left <= 3_600_000, `${key} ${left}`)
    }
    await a.close()
    await b.close()
    const c = await join('c')
    const left = ((await send(c, 'KEYS', `${keys.prefix}*`)) as string[]).map((key) =>
      key.replace(keys.prefix, ''),
    )
    assert.deepEqual(left.sort(), ['events', 'meta', 'nodes'])
  })

  it('takes any text as a namespace', async () => {
    const names = ['{', '}', '{}', '%7B', 'a:b', 'a', '{a}', 'é}\u{1f600}', ' ', '__proto__']
    const nodes = await Promise.all(names.map((name) => joinNode(server.port, 'a', name)))
    for (const [at, node] of nodes.entries()) await node.publish(String(at))
    assert.deepEqual(
      nodes.map((node) => node.texts()),
      names.map((_, at) => [String(at)]),
    )
  })

  it('ignores what others write into its streams', async () => {
    const a = await join('a')
    await a.publish('1')
    await send(a, 'XADD', keys.events, '*', 'other', 'field')
    // As a later version may write it: an unknown field, and an item that is neither an event nor a command.
    const link = String(await send(a, 'HGET', keys.meta, 'link'))
    const epoch = (a.broker.position() as string).slice(0, 8)
    const items = JSON.stringify([{ later: 1 }, { to: {}, data: 'between', later: 2 }, { tell: 7 }])
    const fields = ['new', 'x', 'e', epoch, 'p', link, 'w', '', 'd', items]
    const id = await send(a, 'XADD', keys.events, '*', ...fields)
    await send(a, 'HSET', keys.meta, 'link', `${id}.2`)
    await send(a, 'XADD', keys.inbox('a'), '*', 'other', 'field')
    await send(a, 'XADD', keys.inbox('a'), '*', 'a', '0-0.0', 't', '0', 'd', '[')
    await a.publish('2')
    assert.deepEqual([a.texts(), a.begun.length], [['1', 'between', '2'], 1])
    assert.equal(await a.controller.request('a', { type: 'any' }, PATIENCE_MS), null)
  })

  it('says the gap where an entry is damaged, and goes on', async () => {
    const a = await join('a')
    await a.publish('1')
    for (const data of ['[', '{}', '[1]', '[null]']) {
      const link = String(await send(a, 'HGET', keys.meta, 'link'))
      const epoch = (a.broker.position() as string).slice(0, 8)
      const next = await send(a, 'XADD', keys.events, '*', 'e', epoch, 'p', link, 'w', '', 'd', data)
      await send(a, 'HSET', keys.meta, 'link', `${next}.3`)
      const before = a.begun.length
      await a.publish(`after ${data}`)
      assert.equal(a.texts().at(-1), `after ${data}`)
      assert.equal(a.begun.length, before + 1)
    }
  })

  it('waits for the events that a client has had from another node', async () => {
    const proxy = await RedisProxy.to(server.port)
    const a = await join('a')
    const b = await joinNode(proxy.port, 'b', namespace)
    await b.broker.ready
    await a.publish('1')
    await until(() => b.got.length === 1)
    proxy.stall()
    await a.publish('2')
    await a.publish('3')
    const ahead = a.broker.position() as string
    assert.equal(b.broker.compare(ahead, b.broker.position() as string), undefined)
    let hasReached = false
    const reached = b.broker.reach(ahead, 60_000).then(() => {
      hasReached = true
    })
    const short = performance.now()
    await b.broker.reach(ahead, 100)
    assert.ok(performance.now() - short >= 95)
    assert.equal(hasReached, false)
    proxy.resume()
    await within(reached, 'a position that exists')
    assert.deepEqual(b.texts(), ['1', '2', '3'])
    await within(
      b.broker.reach(ahead.replace(/\d+-/, '999999999999999-'), 60_000),
      'a position that does not exist',
    )
    proxy.close()
  })

  it('settles publish within a second when this node lags', async () => {
    const proxy = await RedisProxy.to(server.port)
    const a = await joinNode(proxy.port, 'a', namespace)
    const b = await join('b')
    await a.broker.ready
    await a.publish('read')
    proxy.stallReads()
    const start = performance.now()
    await a.publish('x')
    const took = performance.now() - start
    assert.ok(took >= 900 && took < 2_500, `${took}`)
    assert.deepEqual([a.texts(), b.texts()], [['read'], ['read', 'x']])
    proxy.resume()
    await until(() => a.got.length === 2)
    proxy.close()
  })

  it('delivers what is published, and then what is told or asked, in that order on every node', async () => {
    const nodes = await Promise.all(['a', 'b', 'c'].map((id) => join(id)))
    const [a, b, c] = nodes as [RedisTestNode, RedisTestNode, RedisTestNode]
    const expected: string[] = []
    const asked: Promise<unknown>[] = []
    for (let count = 0; count < 300; count += 1) {
      a.publish(`event ${count}`).catch(assert.fail)
      if (count % 3 === 0) a.controller.tell({ type: `told ${count}` }).catch(assert.fail)
      else asked.push(a.controller.request('c', { type: `asked ${count}` }, PATIENCE_MS))
      // Another sender, so that the stream is busy.
      b.publish('noise').catch(assert.fail)
      expected.push(`event ${count}`, count % 3 === 0 ? `told ${count}` : `asked ${count}`)
      if (count % 10 === 0) await a.publish(`awaited ${count}`)
      if (count % 10 === 0) expected.push(`awaited ${count}`)
    }
    await Promise.all(asked)
    await until(() => nodes.every(({ log }) => log.includes('event 299')))
    const isCommand = (line: string) => /^(told|asked)/.test(line)
    await until(() => c.log.filter(isCommand).length === 300)
    for (const { id, log } of nodes) {
      const lines = log.filter((line) => line !== 'noise')
      const mine = id === 'c' ? expected : expected.filter((line) => !line.startsWith('asked'))
      assert.deepEqual(lines.filter(isCommand), mine.filter(isCommand))
      const events = (all: readonly string[]) => all.filter((line) => !isCommand(line))
      assert.deepEqual(events(lines), events(mine))
      // A command comes after the events that were published before it.
      for (const command of mine.filter(isCommand)) {
        const before = events(mine.slice(0, mine.indexOf(command)))
        assert.deepEqual(events(lines.slice(0, lines.indexOf(command))).slice(0, before.length), before)
      }
    }
  })

  it('leaves a namespace alone that a later version uses, and says so', async () => {
    const a = await join('a')
    await send(a, 'HSET', keys.meta, 'format', '2')
    await assert.rejects(a.publish('x'), { code: 'UNAVAILABLE' })
    const errors: (Error | undefined)[] = []
    const b = await joinNode(server.port, 'b', namespace, { onStatus: ({ error }) => errors.push(error) })
    await until(() => errors.length > 0)
    assert.match(String(errors[0]), /later version of comet-sse/)
    assert.equal(b.broker.position(), undefined)
    await send(a, 'HSET', keys.meta, 'format', '1')
    await b.broker.ready
    await until(() => errors.length === 2)
  })

  it('warns when Redis may evict keys', async () => {
    const a = await join('a')
    const warnings = await collectWarnings(async (seen) => {
      await send(a, 'CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
      await join('b')
      await until(() => seen.length === 1)
    })
    await send(a, 'CONFIG', 'SET', 'maxmemory-policy', 'noeviction')
    assert.match(warnings[0] ?? '', /maxmemory-policy of Redis is allkeys-lru/)
  })

  it('rejects with UNAVAILABLE when Redis has no memory left, and goes on when it has', async () => {
    const a = await join('a')
    await send(a, 'CONFIG', 'SET', 'maxmemory', '1')
    await assert.rejects(a.publish('1'), { code: 'UNAVAILABLE', message: /maxmemory/ })
    await send(a, 'CONFIG', 'SET', 'maxmemory', '0')
    await a.publish('2')
    assert.deepEqual([a.texts(), a.begun.length, a.statuses], [['2'], 1, []])
  })
})
