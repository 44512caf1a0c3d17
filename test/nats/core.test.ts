import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect as connectSocket, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { NatsConnection } from '@nats-io/transport-node'
import { NatsBroker } from '../../adapters/nats/index.ts'
import { Outgoing } from '../../adapters/nats/outgoing.ts'
import { Signer } from '../../adapters/nats/signature.ts'
import { subjectsOf } from '../../adapters/nats/subjects.ts'
import { Comet } from '../../lib/index.ts'
import { brokerNode } from '../contracts/handlers.ts'
import { PATIENCE_MS, scaled, until, within } from '../support/inbox.ts'
import { closeNodes, joinNode, joinNodes, type NatsTestNode } from '../support/nats-nodes.ts'
import { connectNats, NatsServer } from '../support/nats-server.ts'
import { freePort } from '../support/nginx.ts'
import '../support/process-guard.ts'

const SUBJECTS = subjectsOf('n')

/** Publishes as another node of the namespace does, with numbers that the test picks. */
function publishAs(nats: NatsConnection, origin: string, number: number, data: string): void {
  const outgoing = new Outgoing({ to: {}, data }, SUBJECTS, { origin, server: 's' })
  for (const { subject, payload } of outgoing.messages(number, new Signer('the secret of n'))) {
    nats.publish(subject, payload)
  }
}

describe('NatsBroker without JetStream', function () {
  this.timeout(scaled(30_000))
  let server: NatsServer

  beforeEach(async function () {
    server = await NatsServer.start(this)
  })
  afterEach(async () => {
    await closeNodes()
    await server?.stop()
  })

  it('delivers what a node had to send twice once, and tells a gap where something is missing', async () => {
    const [a] = (await joinNodes(server, ['a'])) as [NatsTestNode]
    // It may have published before this node was there.
    for (const number of [7, 8, 8, 7, 9]) publishAs(a.nats, 'other', number, String(number))
    await until(() => a.texts().at(-1) === '9')
    assert.deepEqual([a.texts(), a.begun.length], [['7', '8', '9'], 1])
    const before = a.broker.position() as string
    publishAs(a.nats, 'other', 12, '12')
    await until(() => a.texts().at(-1) === '12')
    assert.equal(a.begun.length, 2)
    assert.ok((a.broker.compare(before, a.begun[1] as string) ?? 0) < 0)
    publishAs(a.nats, 'other', 13, '13')
    publishAs(a.nats, 'third', 1, '1')
    await until(() => a.texts().at(-1) === '1')
    assert.equal(a.begun.length, 2)
  })

  it('tells one gap after an outage, whoever has published meanwhile', async () => {
    const [a, b] = (await joinNodes(server, ['a', 'b'])) as [NatsTestNode, NatsTestNode]
    for (const origin of ['x', 'y']) publishAs(b.nats, origin, 1, `${origin}1`)
    await until(() => a.got.length === 2)
    a.nats.setServers(['127.0.0.1:1'])
    await a.nats.reconnect()
    for (const origin of ['x', 'y']) publishAs(b.nats, origin, 2, `${origin}2`)
    await b.nats.flush()
    a.nats.setServers([`127.0.0.1:${server.port}`])
    await until(() => a.begun.length === 2)
    for (const origin of ['x', 'y']) publishAs(b.nats, origin, 5, `${origin}5`)
    await until(() => a.got.length === 4)
    assert.deepEqual([a.texts(), a.begun.length], [['x1', 'y1', 'x5', 'y5'], 2])
  })

  it('settles publish when NATS has the event, though it does not come back', async () => {
    const [a] = (await joinNodes(server, ['a'])) as [NatsTestNode]
    // As when the server gives the subscription up.
    for (const { unsubscribe } of subscriptionsOf(a.nats)) unsubscribe()
    await within(a.publish('x'), 'publish', PATIENCE_MS)
  })

  it('waits for what another node has published before a position', async () => {
    const [a, b] = (await joinNodes(server, ['a', 'b'])) as [NatsTestNode, NatsTestNode]
    for (let count = 1; count <= 50; count += 1) {
      await a.publish(String(count))
      await b.broker.reach(a.broker.position() as string, PATIENCE_MS)
      assert.equal(b.texts().at(-1), String(count))
    }
    const start = performance.now()
    const [origin] = (a.broker.position() as string).split('.')
    await b.broker.reach(`${origin}.99.99`, 50)
    assert.ok(performance.now() - start >= 49)
  })

  it('keeps order and takes all when more is published at once than may be on its way', async () => {
    const [a, b] = (await joinNodes(server, ['a', 'b'])) as [NatsTestNode, NatsTestNode]
    const texts = Array.from({ length: 5_000 }, (_, index) => `${index} ${'x'.repeat(2_000)}`)
    await Promise.all(texts.map((text) => a.publish(text)))
    await until(() => b.got.length === texts.length)
    assert.deepEqual([a.texts(), b.texts()], [texts, texts])
    assert.deepEqual([a.begun.length, b.begun.length], [1, 1])
  })

  it('takes an event up to the max_payload of NATS, and refuses a larger one, with the limit', async () => {
    const [a, b] = (await joinNodes(server, ['a', 'b'])) as [NatsTestNode, NatsTestNode]
    // Base64 makes four bytes of three.
    await a.publish('x'.repeat(785_000))
    await until(() => b.got.length === 1)
    await assert.rejects(a.publish('x'.repeat(787_000)), {
      code: 'EVENT_TOO_LARGE',
      message: /at most 1048576 bytes \(its max_payload\), and this event makes one of 10\d{5}\./,
    })
    await a.publish('after')
    await until(() => b.texts().at(-1) === 'after')
  })

  it('refuses at once what is too large for all of its targets', async () => {
    const [a] = (await joinNodes(server, ['a'])) as [NatsTestNode]
    const uids = Array.from({ length: 1_000 }, (_, at) => `user ${at}`)
    const start = performance.now()
    await assert.rejects(a.publish('x'.repeat(600_000), { to: { uids } }), {
      code: 'EVENT_TOO_LARGE',
      message:
        /^This event makes messages of 800000000 bytes for all of its targets, .* Publish it to fewer at once\.$/,
    })
    assert.ok(performance.now() - start < scaled(100))
    await a.publish('x', { to: { uids } })
  })

  it('reports what cannot be read, once for many, and goes on', async () => {
    const [a] = (await joinNodes(server, ['a'])) as [NatsTestNode]
    for (let count = 0; count < 100; count += 1) a.nats.publish(SUBJECTS.events, `no JSON ${count}`)
    a.nats.publish(SUBJECTS.sessions, '{"Header":{},"Body":""}')
    await a.publish('x')
    assert.deepEqual(a.texts(), ['x'])
    assert.deepEqual(
      a.errors.map(({ message }) => message),
      ['Messages of NATS could not be read as they are. 1 on n.service.comet: The payload is not JSON.'],
    )
  })

  it('is not ready before NATS was reached, and says so', async () => {
    const { node, statuses } = brokerNode('a', 'n')
    await server.kill()
    const broker = new NatsBroker(server.url).join(node)
    let isReady = false
    broker.ready.then(() => {
      isReady = true
    })
    const published = broker.publish({ to: {}, data: 'x' })
    await until(() => statuses.length === 1)
    assert.deepEqual([isReady, broker.position()], [false, undefined])
    await server.restart()
    await published
    await until(() => statuses.length === 2)
    assert.equal(isReady, true)
    await broker.close()
    await assert.rejects(broker.publish({ to: {}, data: 'x' }), { code: 'SHUTTING_DOWN' })
  })

  it('closes at once while NATS is away, and rejects what waits', async () => {
    const [a] = (await joinNodes(server, ['a'])) as [NatsTestNode]
    await server.kill()
    await until(() => a.statuses.length === 1)
    const published = a.publish('x')
    published.catch(() => {})
    const start = performance.now()
    await a.broker.close()
    assert.ok(performance.now() - start < scaled(500))
    await assert.rejects(published, { code: 'SHUTTING_DOWN' })
  })

  it('closes at once also with options of connect that make the client wait', async () => {
    const broker = new NatsBroker({ servers: `127.0.0.1:${await freePort()}`, waitOnFirstConnect: true })
    const connection = broker.join(brokerNode('a').node)
    connection.ready.catch(() => {})
    await sleep(100)
    await within(connection.close(), 'close')
  })

  it('may be used again before the connection of its last node has ended', async () => {
    // The first connection is never greeted, and fails much later.
    const accepted: Socket[] = []
    const proxy = createServer((near) => {
      if (accepted.push(near) === 1) return
      const far = connectSocket(server.port, '127.0.0.1')
      for (const socket of [near, far]) socket.on('error', () => {})
      near.pipe(far).pipe(near)
    })
    await once(proxy.listen(0, '127.0.0.1'), 'listening')
    const { port } = proxy.address() as AddressInfo
    const broker = new NatsBroker({ servers: `127.0.0.1:${port}`, timeout: 1_000 })
    const first = broker.join(brokerNode('a').node)
    first.ready.catch(() => {})
    await until(() => accepted.length === 1)
    const closed = first.close()
    const { node, got, begun } = brokerNode('b')
    const second = broker.join(node)
    await second.ready
    await closed
    await within(second.publish({ to: {}, data: 'x' }), 'publish')
    assert.deepEqual([got.length, begun.length], [1, 1])
    await second.close()
    for (const socket of accepted) socket.destroy()
    proxy.close()
  })

  it('tells that a connection of the app was closed', async () => {
    const a = await joinNode(server, 'a')
    await a.broker.ready
    await a.nats.close()
    await until(() => a.statuses.length === 1)
    assert.match(a.statusErrors[0]?.message ?? '', /was closed.*make a Comet with another one/)
  })

  it('is refused for a namespace that cannot be part of a subject', () => {
    for (const namespace of ['a b', 'a.*', '>', 'a..b', '.a', 'a.', 'a\t']) {
      const broker = new NatsBroker(server.url)
      assert.throws(
        () =>
          new Comet({
            broker,
            presence: { join: () => assert.fail() },
            controller: { join: () => assert.fail() },
            namespace,
          }),
        { code: 'INVALID_OPTION', message: /^Option namespace is the beginning of subjects of NATS/ },
      )
    }
  })

  it('waits for a server that stands still, and tells it when that takes long', async () => {
    const [a, b] = (await joinNodes(server, ['a', 'b'])) as [NatsTestNode, NatsTestNode]
    server.pause()
    const short = a.publish('1')
    await sleep(300)
    server.resume()
    await short
    await until(() => b.texts().length === 1)
    assert.deepEqual([a.begun.length, b.begun.length], [1, 1])
    server.pause()
    const long = a.publish('2')
    await until(() => a.statuses.length === 1, undefined, 4 * PATIENCE_MS)
    server.resume()
    await long
    await until(() => a.statuses.length === 2 && b.texts().length === 2)
    assert.deepEqual(
      [a.texts(), b.texts()],
      [
        ['1', '2'],
        ['1', '2'],
      ],
    )
  })

  it('takes a connection that is away, or closed, when it joins', async () => {
    const nats = await connectNats(server)
    await server.kill()
    await until(() => nats.info === undefined)
    const { node, statuses } = brokerNode('a', 'n')
    const broker = new NatsBroker(nats).join(node)
    await until(() => statuses.length === 1)
    await server.restart()
    await broker.ready
    await until(() => statuses.length === 2)
    await broker.close()
    await nats.close()
    const other = brokerNode('b', 'n')
    const late = new NatsBroker(nats).join(other.node)
    await until(() => other.statuses.length === 1)
    assert.match(other.statusErrors[0]?.message ?? '', /was closed/)
    await late.close()
  })
})

/** The subscriptions of a connection. Only its class tells them. */
function subscriptionsOf(nats: NatsConnection): { unsubscribe(): void }[] {
  const { protocol } = nats as unknown as {
    readonly protocol: {
      readonly subscriptions: { all(): { unsubscribe(): void; readonly subject: string }[] }
    }
  }
  return protocol.subscriptions
    .all()
    .map((subscription) => ({ unsubscribe: () => subscription.unsubscribe() }))
}
