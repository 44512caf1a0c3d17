import assert from 'node:assert/strict'
import {
  type Controller,
  type ControllerHandler,
  MemoryBroker,
  type PresenceConnection,
  type PresenceHandler,
} from '../../../lib/index.ts'
import { closeComets, connect, makeComet } from '../../support/comets.ts'
import { until } from '../../support/inbox.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'
import { type LogNode, SharedLog } from '../../support/shared-log.ts'

/** Comets on one SharedLog, with the controls of each. */
function makeNodes(count: number, options: { readonly isReachedAtOnce?: boolean } = {}) {
  const broker = new SharedLog(options)
  const comets = Array.from({ length: count }, () => makeComet({ broker, offlineGrace: 60_000 }).comet)
  return { broker, comets, nodes: broker.nodes as readonly LogNode[] }
}

async function reconnect(comet: ReturnType<typeof makeComet>['comet'], position?: string, clientId?: string) {
  const transport = new MemoryTransport()
  const request = { identity: 'alice', transport, rids: ['den'] }
  await comet.connect({
    ...request,
    ...(position === undefined ? {} : { position }),
    ...(clientId === undefined ? {} : { clientId }),
  })
  return transport
}

describe('A broker that is reached late', () => {
  afterEach(closeComets)

  it('gets newcomers the temporary answer until then, and then its events are in the history', async () => {
    const { broker, comets, nodes } = makeNodes(2, { isReachedAtOnce: false })
    const [one, two] = comets as [(typeof comets)[0], (typeof comets)[0]]
    nodes[0]?.reach()
    const first = await reconnect(one)
    const start = first.lastEventId
    await one.publish({ rid: 'den', evt: 'stored' })
    await one.publish({ rid: 'den', evt: 'passing' }, { transient: true })
    await one.publish({ uid: 'alice', evt: 'her own' })
    await assert.rejects(reconnect(two, start), { code: 'UNAVAILABLE' })
    let isReady = false
    const ready = two.ready.then(() => {
      isReady = true
    })
    const position = two.position()
    await new Promise(setImmediate)
    assert.equal(isReady, false)
    nodes[1]?.reach()
    await ready
    assert.equal(await position, await one.position())
    const second = await reconnect(two, start)
    assert.deepEqual(second.published, ['stored', 'her own'])
    assert.equal(second.control('ready')?.recovered, true)
    assert.deepEqual(
      two.history({ rid: 'den' }).map((event) => 'evt' in event && event.evt),
      ['stored'],
    )
    assert.equal(broker.nodes.length, 2)
  })
})

describe('A node that lags', () => {
  afterEach(closeComets)

  it('lets a client that is ahead of it wait, and sends it nothing twice', async () => {
    const { comets, nodes } = makeNodes(2)
    const [one, two] = comets as [(typeof comets)[0], (typeof comets)[0]]
    const first = await reconnect(one)
    nodes[1]?.hold()
    await one.publish({ rid: 'den', evt: '1' })
    await one.publish({ rid: 'den', evt: '2' })
    await until(() => first.published.length === 2)
    first.drop()
    await one.publish({ rid: 'den', evt: '3' })
    const connecting = reconnect(two, first.lastEventId)
    let isConnected = false
    connecting.then(() => {
      isConnected = true
    })
    nodes[1]?.release(1)
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate)
    assert.equal(isConnected, false)
    nodes[1]?.release(1)
    const second = await connecting
    assert.equal(second.control('ready')?.recovered, true)
    nodes[1]?.release()
    await until(() => second.published.length === 1)
    assert.deepEqual(second.published, ['3'])
  })

  it('does not wait for a position that nobody can be at', async () => {
    const { comets } = makeNodes(1)
    const [one] = comets as [(typeof comets)[0]]
    for (const made of ['1.999', '7.0', 'x']) {
      const transport = await reconnect(one, made)
      assert.equal(transport.control('ready')?.recovered, false)
    }
    const transport = await reconnect(one, '1.999')
    await one.publish({ rid: 'den', evt: 'heard' })
    await until(() => transport.published.length === 1)
  })

  it('lets a JOIN with a position wait, too', async () => {
    const { comets, nodes } = makeNodes(2)
    const [one, two] = comets as [(typeof comets)[0], (typeof comets)[0]]
    const first = await reconnect(one)
    await one.publish({ rid: 'hall', evt: '1' })
    const since = await one.position()
    const bob = await connect(two, 'bob')
    nodes[1]?.hold()
    await one.publish({ rid: 'hall', evt: '2' })
    const ahead = await one.position()
    const packet = { type: 'JOIN', join: { rid: 'hall', since: ahead } }
    const joining = two.receive({ sid: bob.sid, identity: 'bob', packet })
    nodes[1]?.release()
    await joining
    await one.publish({ rid: 'hall', evt: '3' })
    await until(() => bob.published.length > 0)
    assert.deepEqual([bob.published, bob.control('gap')], [['3'], undefined])
    assert.notEqual(since, ahead)
    assert.equal(first.closed, false)
  })

  it('does what the app asks for after what it published before, though nobody awaited that', async () => {
    const { comets, nodes } = makeNodes(1)
    const [one] = comets as [(typeof comets)[0]]
    for (const act of ['leave', 'disconnect'] as const) {
      const transport = await reconnect(one)
      nodes[0]?.hold()
      const published = one.publish({ rid: 'den', evt: act })
      const acted = act === 'leave' ? one.leave({ uid: 'alice' }, 'den') : one.disconnect({ uid: 'alice' })
      await new Promise(setImmediate)
      nodes[0]?.release()
      await Promise.all([published, acted])
      await until(() => transport.published.length === 1)
      assert.deepEqual(transport.published, [act])
      transport.drop()
    }
  })
})

describe('A broker that lost events', () => {
  afterEach(closeComets)

  it('has each session told of a gap of all its targets, once, and goes on', async () => {
    const { broker, comets, nodes } = makeNodes(2)
    const [one, two] = comets as [(typeof comets)[0], (typeof comets)[0]]
    const [alice, bob] = [await reconnect(one), await connect(two, 'bob')]
    await one.publish({ rid: 'den', evt: 'before' })
    await until(() => alice.published.length === 1)
    const before = alice.lastEventId
    nodes[1]?.hold()
    await one.publish({ evt: 'bob never gets this' })
    broker.lose()
    nodes[1]?.release()
    await one.publish({ evt: 'after' })
    await until(() => alice.published.length === 3 && bob.published.length === 1)
    const gaps = (transport: MemoryTransport) =>
      transport.events
        .filter(({ event }) => event === 'comet.gap')
        .map(({ data }) => JSON.parse(data).targets)
    assert.deepEqual(gaps(alice), [[{ uid: 'alice' }, { sid: alice.sid }, { rid: 'den' }, { world: true }]])
    assert.deepEqual(gaps(bob), [[{ uid: 'bob' }, { sid: bob.sid }, { world: true }]])
    assert.deepEqual([alice.published.at(-1), bob.published.at(-1)], ['after', 'after'])
    assert.deepEqual(
      alice.events.slice(-2).map(({ event }) => event),
      ['comet.gap', undefined],
    )
    // A position of the former order is known to nobody.
    const late = await reconnect(two, before)
    assert.equal(late.control('ready')?.recovered, false)
    assert.deepEqual(late.published, [])
    // One of the new order is complete.
    const again = await reconnect(one, alice.lastEventId)
    assert.equal(again.control('ready')?.recovered, true)
    assert.deepEqual(one.history({ rid: 'den' }), [])
  })

  it('has a gap for who asks for recent events, too', async () => {
    const { broker, comets } = makeNodes(1)
    const [one] = comets as [(typeof comets)[0]]
    await one.publish({ rid: 'den', evt: 'lost' })
    broker.lose()
    const transport = new MemoryTransport()
    await one.connect({ identity: 'alice', transport, rids: ['den'], recent: 5 })
    assert.deepEqual(transport.control('gap')?.targets, [{ uid: 'alice' }, { rid: 'den' }])
  })
})

describe("Hook 'status'", () => {
  afterEach(closeComets)

  it('tells both ends of an outage once; rejections go to their callers only', async () => {
    const { comets, nodes } = makeNodes(1)
    const [one] = comets as [(typeof comets)[0]]
    const heard: unknown[] = []
    one.on('status', ({ port, up, error, rejected }) => heard.push([port, up, error?.message, rejected]))
    one.on('error', (error) => heard.push(error.message))
    assert.equal(one.stats().ports.broker, 'up')
    nodes[0]?.tell({ up: false, error: new Error('connection reset') })
    nodes[0]?.tell({ up: false, error: new Error('connection refused') })
    assert.deepEqual([one.stats().ports.broker, one.stats().ports.presence], ['down', 'up'])
    for (let count = 0; count < 3; count += 1) {
      await assert.rejects(one.publish({ evt: 'x' }), { code: 'UNAVAILABLE' })
    }
    one.publish({ evt: 'not awaited' })
    await new Promise(setImmediate)
    nodes[0]?.tell({ up: true })
    nodes[0]?.tell({ up: true })
    const message = 'The broker cannot be reached: connection reset'
    assert.deepEqual(heard, [message, ['broker', false, message, undefined], ['broker', true, undefined, 4]])
    assert.equal(one.stats().ports.broker, 'up')
    await one.publish({ evt: 'y' })
  })
})

describe('A controller that is away', () => {
  afterEach(closeComets)

  it('does not keep the streams of its own node from being ended by Comet.disconnect', async () => {
    const broker = new MemoryBroker()
    let handler: ControllerHandler | undefined
    const waiting: (() => void)[] = []
    const controller: Controller = {
      join(node) {
        handler = node
        const connection = broker.controller.join(node)
        const isBack = () => new Promise<void>((resolve) => waiting.push(resolve))
        return { ...connection, tell: (command) => isBack().then(() => connection.tell(command)) }
      },
    }
    const { comet } = makeComet({ broker, controller })
    comet.on('error', () => {})
    const alice = await connect(comet, 'alice')
    const bob = await connect(comet, 'bob')
    handler?.onStatus({ up: false, error: new Error('away') })
    const disconnected = comet.disconnect({ uid: 'alice' })
    await until(() => alice.closed)
    assert.equal(bob.closed, false)
    for (const resolve of waiting) resolve()
    await disconnected
  })
})

describe('A presence that restores what it lost', () => {
  afterEach(closeComets)

  it('has all nodes follow a membership that one of them has brought back', async () => {
    const broker = new MemoryBroker()
    const joined: { handler: PresenceHandler; connection: PresenceConnection }[] = []
    const presence = {
      join(handler: PresenceHandler) {
        const connection = broker.presence.join(handler)
        joined.push({ handler, connection })
        return connection
      },
    }
    const [one, two] = [makeComet({ broker, presence }), makeComet({ broker, presence })]
    const tabs = [await connect(one.comet, 'alice'), await connect(two.comet, 'alice')]
    const [first] = joined
    // Presence alone knows of it.
    await first?.connection.enter({ uid: 'alice' }, 'club', 'app')
    first?.handler.onMembershipRestored('alice', 'club')
    await until(() => [one, two].every(({ comet }) => comet.dump().rooms.some(({ rid }) => rid === 'club')))
    await one.comet.publish({ rid: 'club', evt: 'x' })
    await until(() => tabs.every(({ published }) => published.length === 1))
  })

  it('gets the live sessions of the node, with who let them in, and ends those that were taken over', async () => {
    const broker = new MemoryBroker()
    let handler: PresenceHandler | undefined
    const disconnected: string[] = []
    const presence = {
      join(node: PresenceHandler) {
        handler = node
        const connection = broker.presence.join(node)
        return {
          ...connection,
          disconnect: (...args: Parameters<typeof connection.disconnect>) => {
            disconnected.push(args[0].connection)
            return connection.disconnect(...args)
          },
        }
      },
    }
    const { comet } = makeComet({ broker, presence, offlineGrace: 60_000 })
    const transport = new MemoryTransport()
    const identity = { uid: 'alice', rooms: ['hall'], info: { name: 'Alice' } }
    await comet.connect({ identity, transport, rids: ['den'], clientId: 'page', requestNumber: 3 })
    const { sid } = transport
    const packet = { type: 'JOIN', join: { rid: 'attic' } }
    await comet.receive({ sid, identity: 'alice', packet })
    await comet.enter({ sid }, 'cellar')
    await comet.enter({ uid: 'alice' }, 'house')
    await connect(comet, { anonymous: true })
    const sessions = () => Array.from(handler?.sessions() ?? [])
    assert.deepEqual(sessions(), [
      {
        uid: 'alice',
        sid,
        connection: sid,
        clientId: 'page',
        info: { name: 'Alice' },
        start: await comet.position(),
        requestNumber: 3,
        rooms: [
          { rid: 'hall', by: 'identity' },
          { rid: 'den', by: 'url' },
          { rid: 'attic', by: 'join' },
          { rid: 'cellar', by: 'app' },
        ],
        memberships: ['house'],
      },
    ])
    // After a takeover they are those that presence knows.
    const second = new MemoryTransport()
    await comet.connect({ identity, transport: second, clientId: 'page' })
    const [moved] = sessions()
    assert.equal(sessions().length, 1)
    assert.deepEqual(
      [moved?.sid, moved?.rooms],
      [
        sid,
        [
          { rid: 'hall', by: 'identity' },
          { rid: 'cellar', by: 'app' },
          { rid: 'den', by: 'url' },
          { rid: 'attic', by: 'join' },
        ],
      ],
    )
    // Presence is told of the end that a takeover was, too.
    assert.deepEqual(disconnected, [sid])
    handler?.onSuperseded({ uid: 'alice', sid, connection: String(moved?.connection) })
    assert.equal(second.control('close')?.code, 'TAKEN_OVER')
    assert.deepEqual(sessions(), [])
  })
})
