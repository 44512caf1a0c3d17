import assert from 'node:assert/strict'
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream'
import { PATIENCE_MS, scaled, until } from '../support/inbox.ts'
import { closeNodes, joinNode, joinNodes, type NatsTestNode } from '../support/nats-nodes.ts'
import { connectNats, NatsServer, type NatsSettings } from '../support/nats-server.ts'
import '../support/process-guard.ts'

const STREAM = 'comet-n'

describe('NatsBroker with JetStream: the stream', function () {
  this.timeout(scaled(30_000))
  let server: NatsServer

  async function start(test: Mocha.Context, settings: NatsSettings = {}): Promise<void> {
    server = await NatsServer.start(test, { jetstream: true, ...settings })
  }

  afterEach(async () => {
    await closeNodes()
    await server?.stop()
  })

  /** Works with JetStream as an operator does. */
  async function manage<T>(act: (manager: JetStreamManager) => Promise<T>): Promise<T> {
    const nats = await connectNats(server)
    try {
      return await act(await jetstreamManager(nats))
    } finally {
      await nats.close()
    }
  }

  async function publishTo(nodes: readonly NatsTestNode[], ...texts: string[]): Promise<void> {
    for (const text of texts) await nodes[0]?.publish(text)
    await until(() => nodes.every((node) => node.texts().at(-1) === texts.at(-1)))
  }

  const dataOf = () => join(server.folder, 'jetstream')

  /** Copies the data of JetStream: see {@link killAndBringBackOlderData}. */
  async function saveData(): Promise<void> {
    await cp(dataOf(), `${dataOf()}-old`, { recursive: true })
  }

  /** As when a machine loses power before its disk has all that JetStream has acknowledged. */
  async function killAndBringBackOlderData(): Promise<void> {
    await server.kill()
    await rm(dataOf(), { recursive: true })
    await cp(`${dataOf()}-old`, dataOf(), { recursive: true })
    await server.restart()
  }

  it('gives a node that starts the events of the time that its history stores, with their ages', async function () {
    await start(this)
    const [a] = (await joinNodes(server, ['a'], { jetstream: true })) as [NatsTestNode]
    await publishTo([a], 'long ago')
    await sleep(600)
    for (const data of ['1', '2']) await a.publish(data, { to: { rids: ['r'] }, transient: data === '2' })
    const ages: number[] = []
    const b = await joinNode(server, 'b', {
      jetstream: true,
      handler: { history: { age: 500, bytes: 1_000 } },
    })
    await b.broker.ready
    assert.deepEqual(b.begun.length, 1)
    assert.ok((b.broker.compare(b.begun[0] as string, b.broker.position() as string) ?? 0) < 0)
    const c = await joinNode(server, 'c', {
      jetstream: true,
      handler: { restore: (_delivery, age) => ages.push(age) },
    })
    await c.broker.ready
    assert.deepEqual(
      b.restored.map(({ data, transient }) => [data, transient]),
      [
        ['1', undefined],
        ['2', true],
      ],
    )
    assert.deepEqual(b.restored, a.got.slice(1))
    assert.equal(ages.length, 3)
    assert.ok(
      ages.every((age, at) => age >= 0 && age < 30_000 && (at === 0 || age <= (ages[at - 1] as number))),
    )
    assert.ok((ages[0] as number) >= 600)
    assert.deepEqual([b.got, c.got], [[], []])
    assert.equal(c.broker.position(), a.broker.position())
    await publishTo([a, b, c], '3')
    assert.deepEqual(b.texts(), ['3'])
  })

  it('knows on each node the position of a page that came when the stream was empty', async function () {
    await start(this)
    const [a] = (await joinNodes(server, ['a'], { jetstream: true })) as [NatsTestNode]
    const empty = a.broker.position() as string
    await publishTo([a], '1', '2')
    const [b] = (await joinNodes(server, ['b'], { jetstream: true })) as [NatsTestNode]
    await b.broker.reach(empty, PATIENCE_MS)
    assert.ok((b.broker.compare(empty, b.broker.position() as string) ?? 0) < 0)
  })

  it('knows positions that are older than all that a node has read', async function () {
    await start(this)
    const [a] = (await joinNodes(server, ['a'], { jetstream: true })) as [NatsTestNode]
    await publishTo([a], '1')
    const before = a.broker.position() as string
    await sleep(300)
    await publishTo([a], '2')
    const b = await joinNode(server, 'b', {
      jetstream: true,
      handler: { history: { age: 100, bytes: 1_000 } },
    })
    await b.broker.ready
    const now = b.broker.position() as string
    assert.equal(b.broker.compare(before, now), undefined)
    await b.broker.reach(before, PATIENCE_MS)
    assert.ok((b.broker.compare(before, now) ?? 0) < 0)
    const made = before.replace(/\d$/, (digit) => String((Number(digit) + 5) % 10))
    await b.broker.reach(made, PATIENCE_MS)
    // A double does not tell times apart that are a few nanoseconds from each other, which no server stores.
    const other = before.replace(/\.\d/, '.9')
    await b.broker.reach(other, PATIENCE_MS)
    assert.equal(b.broker.compare(other, now), undefined)
  })

  for (const isReused of [false, true]) {
    const what = isReused ? 'and has given its places to others' : 'and has nothing in its place'
    it(`is told as a gap, once, when it comes back without its end, ${what}`, async function () {
      await start(this)
      const [a, b] = (await joinNodes(server, ['a', 'b'], { jetstream: true })) as [
        NatsTestNode,
        NatsTestNode,
      ]
      await publishTo([a, b], '1', '2')
      await saveData()
      await publishTo([a, b], '3', '4')
      const before = a.broker.position() as string
      if (isReused) {
        await server.kill()
        await rm(dataOf(), { recursive: true })
        await cp(`${dataOf()}-old`, dataOf(), { recursive: true })
        // What others publish before the nodes are back.
        for (const nats of [a.nats, b.nats]) nats.setServers(['127.0.0.1:1'])
        await server.restart()
        const c = await joinNode(server, 'c', { jetstream: true })
        await c.broker.ready
        for (const text of ['x', 'y', 'z']) await c.publish(text)
        for (const nats of [a.nats, b.nats]) nats.setServers([`127.0.0.1:${server.port}`])
      } else await killAndBringBackOlderData()
      await until(() => a.begun.length === 2 && b.begun.length === 2)
      await publishTo([b, a], '5')
      await publishTo([a, b], '6')
      assert.deepEqual(a.texts().slice(-2), ['5', '6'])
      assert.deepEqual(b.texts().slice(-2), ['5', '6'])
      assert.deepEqual([a.begun.length, b.begun.length], [2, 2])
      assert.equal(a.broker.compare(before, a.broker.position() as string), undefined)
      await a.broker.reach(before, PATIENCE_MS)
      assert.equal(a.broker.compare(before, a.broker.position() as string), undefined)
    })
  }

  it('is complete for a node that was cut off when it had become empty, because all events were too old', async function () {
    await start(this)
    const options = { jetstream: true, handler: { history: { age: 1_000, bytes: 1_000 } } }
    const [a, b] = (await joinNodes(server, ['a', 'b'], options)) as [NatsTestNode, NatsTestNode]
    await publishTo([a, b], '1')
    const messages = () => manage(async (manager) => (await manager.streams.info(STREAM)).state.messages)
    await until(async () => (await messages()) === 0)
    await a.nats.reconnect()
    await until(() =>
      a.nats.flush().then(
        () => true,
        () => false,
      ),
    )
    await publishTo([a, b], '2')
    assert.deepEqual([a.begun.length, b.begun.length], [1, 1])
  })

  it('is made again when somebody deletes it, which is told as a gap', async function () {
    await start(this)
    const [a, b] = (await joinNodes(server, ['a', 'b'], { jetstream: true })) as [NatsTestNode, NatsTestNode]
    await publishTo([a, b], '1')
    await manage((manager) => manager.streams.delete(STREAM))
    await a.publish('2')
    await until(() => b.texts().at(-1) === '2' || b.begun.length === 2, undefined, 4 * PATIENCE_MS)
    await until(() => a.begun.length === 2 && b.begun.length === 2, undefined, 4 * PATIENCE_MS)
    await publishTo([a, b], '3')
    assert.deepEqual([a.begun.length, b.begun.length], [2, 2])
  })

  it('is told as a gap when events are removed that a node has not read', async function () {
    await start(this)
    const [a, b] = (await joinNodes(server, ['a', 'b'], { jetstream: true })) as [NatsTestNode, NatsTestNode]
    await publishTo([a, b], '1')
    b.nats.setServers(['127.0.0.1:1'])
    await b.nats.reconnect()
    for (const text of ['2', '3']) await a.publish(text)
    await manage(async (manager) => await manager.streams.purge(STREAM))
    b.nats.setServers([`127.0.0.1:${server.port}`])
    await until(() => b.begun.length === 2)
    await publishTo([a, b], '4')
    assert.deepEqual(b.texts(), ['1', '4'])
    assert.deepEqual([a.begun.length, b.begun.length], [1, 2])
  })

  it('goes on where a node was when its consumer is lost', async function () {
    await start(this)
    const [a, b] = (await joinNodes(server, ['a', 'b'], { jetstream: true })) as [NatsTestNode, NatsTestNode]
    await publishTo([a, b], '1')
    await manage(async (manager) => {
      for await (const { name } of manager.consumers.list(STREAM))
        await manager.consumers.delete(STREAM, name)
    })
    await a.publish('2')
    await until(() => [a, b].every((node) => node.texts().at(-1) === '2'), undefined, 4 * PATIENCE_MS)
    await publishTo([b, a], '3')
    assert.deepEqual(
      [a.texts(), b.texts()],
      [
        ['1', '2', '3'],
        ['1', '2', '3'],
      ],
    )
    assert.deepEqual([a.begun.length, b.begun.length], [1, 1])
  })

  it('loses all with storage memory when the server ends, which is told as a gap', async function () {
    await start(this)
    const options = { jetstream: { storage: 'memory' } } as const
    const [a, b] = (await joinNodes(server, ['a', 'b'], options)) as [NatsTestNode, NatsTestNode]
    await publishTo([a, b], '1')
    await server.kill()
    const during = a.publish('2')
    await server.restart()
    await during
    await until(() => a.begun.length === 2 && b.begun.length === 2)
    await publishTo([a, b], '3')
    assert.deepEqual(a.texts(), ['1', '2', '3'])
  })

  it('has the limits of the node with the longest history, and those of its maker otherwise', async function () {
    await start(this)
    const join = async (id: string, age: number, bytes: number) => {
      const node = await joinNode(server, id, { jetstream: true, handler: { history: { age, bytes } } })
      await node.broker.ready
      const { config } = await manage((manager) => manager.streams.info(STREAM))
      return [config.max_age / 1e6, config.max_bytes]
    }
    assert.deepEqual(await join('a', 1_000, 1_000_000), [1_000, 2_000_000])
    assert.deepEqual(await join('b', 5_000, 900_000), [5_000, 2_000_000])
    assert.deepEqual(await join('c', 100, 3_000_000), [5_000, 6_000_000])
    await manage(
      async (manager) => await manager.streams.update(STREAM, { description: 'mine', max_age: 2e9 }),
    )
    assert.deepEqual(await join('d', 9_000, 9_000_000), [2_000, 6_000_000])
  })

  it('may be one of the app, with other subjects, too', async function () {
    await start(this)
    await manage((manager) => manager.streams.add({ name: 'MINE', subjects: ['n.>'] }))
    const options = { jetstream: { stream: 'MINE' } }
    const [a, b] = (await joinNodes(server, ['a', 'b'], options)) as [NatsTestNode, NatsTestNode]
    await publishTo([a, b], '1')
    a.nats.publish('n.other', 'not for Comets')
    await publishTo([a, b], '2')
    await a.publish('3', { to: { sids: ['s'] } })
    assert.deepEqual(a.texts(), ['1', '2', '3'])
    assert.deepEqual([a.begun.length, a.errors.length], [1, 0])
  })

  it('is complete only from where a node can tell who has signed the events', async function () {
    await start(this)
    const [a] = (await joinNodes(server, ['a'], { jetstream: true })) as [NatsTestNode]
    await a.publish('1')
    await a.publish('2', { except: { uids: ['x'] } })
    const second = a.broker.position()
    await a.publish('3', { to: { sids: ['s'] } })
    const third = a.broker.position()
    await closeNodes()
    const secrets = { handler: { secret: async () => 'another one, since presence lost its data' } }
    const [b] = (await joinNodes(server, ['b'], { jetstream: true, ...secrets })) as [NatsTestNode]
    assert.deepEqual([b.restored, b.begun.at(-1), b.broker.position()], [[], third, third])
    assert.equal(b.broker.compare(second as string, third as string), undefined)
    await publishTo([b], '4')
    assert.equal(b.errors.length, 1)
  })

  it('is refused when it does not have the subjects', async function () {
    await start(this)
    await manage((manager) => manager.streams.add({ name: 'MINE', subjects: ['n.service.*', 'other.>'] }))
    const node = await joinNode(server, 'a', { jetstream: { stream: 'MINE' } })
    await until(() => node.statuses.length === 1)
    assert.equal(
      node.statusErrors[0]?.message,
      'The stream MINE of JetStream does not have the subject n.comet.session. Add it, or give option jetstream.stream another name.',
    )
    await manage((manager) =>
      manager.streams.update('MINE', { subjects: ['n.service.*', 'n.comet.session'] }),
    )
    await node.broker.ready
    await until(() => node.statuses.length === 2)
  })

  it('is asked for in vain where JetStream is off', async function () {
    server = await NatsServer.start(this)
    const node = await joinNode(server, 'a', { jetstream: true })
    await until(() => node.statuses.length === 1)
    assert.match(node.statusErrors[0]?.message ?? '', /JetStream is off.*nats-server -js/)
  })

  it('is waited for by a process that only publishes', async function () {
    await start(this)
    const publisher = await joinNode(server, 'p', { jetstream: true, handler: { receives: false } })
    const published = publisher.publish('1')
    await until(() => publisher.statuses.length === 1)
    assert.equal(publisher.statusErrors[0]?.message, 'No Comet has made the stream comet-n yet.')
    const [a] = (await joinNodes(server, ['a'], { jetstream: true })) as [NatsTestNode]
    await published
    await until(() => a.texts().length === 1)
    await publisher.publish('2')
    assert.deepEqual(publisher.got, [])
  })

  it('that is full, and keeps what it has, refuses events', async function () {
    await start(this)
    await manage((manager) =>
      manager.streams.add({ name: 'MINE', subjects: ['n.>'], max_msgs: 2, discard: 'new' }),
    )
    const [a] = (await joinNodes(server, ['a'], { jetstream: { stream: 'MINE' } })) as [NatsTestNode]
    await publishTo([a], '1', '2')
    await assert.rejects(a.publish('3'), {
      code: 'UNAVAILABLE',
      message: /JetStream refused.*maximum messages/,
    })
    await manage(async (manager) => await manager.streams.purge('MINE'))
    await publishTo([a], '4')
  })
})
