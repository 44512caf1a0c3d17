import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { jetstreamManager } from '@nats-io/jetstream'
import { headers } from '@nats-io/transport-node'
import { NatsBroker } from '../../adapters/nats/index.ts'
import { OUTAGE_MS } from '../../lib/ports/health.ts'
import { ServerPath } from '../cluster/server-path.ts'
import { brokerNode } from '../contracts/handlers.ts'
import { PATIENCE_MS, scaled, until, within } from '../support/inbox.ts'
import { closeNodes, joinNode, joinNodes, type NatsTestNode } from '../support/nats-nodes.ts'
import { connectNats, NatsServer } from '../support/nats-server.ts'
import '../support/process-guard.ts'

describe('NatsBroker with JetStream: at the edges of the stream', function () {
  this.timeout(scaled(30_000))
  let server: NatsServer

  beforeEach(async function () {
    server = await NatsServer.start(this, { jetstream: true })
  })
  afterEach(async () => {
    await closeNodes()
    await server?.stop()
  })

  for (const code of [100, 409, 503]) {
    it(`passes over an empty message with status ${code}, which is not one of JetStream`, async () => {
      const [a] = (await joinNodes(server, ['a'], { jetstream: true })) as [NatsTestNode]
      const other = await connectNats(server)
      other.publish('n.service.comet', '', { headers: headers(code, 'Idle Heartbeat') })
      await other.flush()
      await other.close()
      await a.publish('after')
      const b = await joinNode(server, 'b', { jetstream: true })
      await b.broker.ready
      assert.deepEqual(
        [a.log, b.restored.map(({ data }) => data), a.errors.length],
        [['begin', 'after'], ['after'], 1],
      )
    })
  }

  it('is complete for a node that was cut off before the first event', async () => {
    const [a, b] = (await joinNodes(server, ['a', 'b'], { jetstream: true })) as [NatsTestNode, NatsTestNode]
    const path = await ServerPath.to(server.port)
    const c = await joinNode({ url: `nats://127.0.0.1:${path.port}` }, 'c', { jetstream: true })
    await c.broker.ready
    path.cut()
    await a.publish('first')
    await a.publish('second')
    path.heal()
    await until(() => c.texts().length === 2)
    assert.deepEqual([b.log, c.log], Array(2).fill(['begin', 'first', 'second']))
    path.close()
  })

  /** Lets a node join that restores many events. @param act called once when it has some of them */
  async function joinLate(act: (node: NatsTestNode) => void): Promise<NatsTestNode> {
    const [a] = (await joinNodes(server, ['a'], { jetstream: true })) as [NatsTestNode]
    await Promise.all(Array.from({ length: 20_000 }, (_, at) => a.publish(`${at}`)))
    let count = 0
    const b: NatsTestNode = await joinNode(server, 'b', {
      jetstream: true,
      handler: {
        restore: () => {
          count += 1
          if (count === 100) act(b)
        },
      },
    })
    await within(b.broker.ready, 'To be ready', 4 * PATIENCE_MS)
    return b
  }

  it('is restored from its beginning when the connection is lost meanwhile', async () => {
    const b = await joinLate(({ nats }) => nats.reconnect())
    await b.publish('live')
    assert.deepEqual([b.begun.length, b.texts(), b.broker.position()?.split('.')[0]], [2, ['live'], '20001'])
  })

  it('is restored as far as it was read when the rest is removed meanwhile', async () => {
    const nats = await connectNats(server)
    const { streams } = await jetstreamManager(nats)
    const b = await joinLate(() => streams.purge('comet-n'))
    await nats.close()
    await b.publish('live')
    assert.deepEqual(b.log, ['begin', 'begin', 'live'])
  })

  for (const age of [1, 99.5, Number.MAX_SAFE_INTEGER]) {
    it(`is made for a history of ${age} ms`, async () => {
      const node = await joinNode(server, 'a', { jetstream: true, handler: { history: { age, bytes: 1 } } })
      await within(node.broker.ready, 'To be ready')
      await node.publish('x')
      assert.deepEqual(node.texts(), ['x'])
    })
  }

  it('tells no status of a node that was closed while it was opened', async () => {
    const told: boolean[][] = []
    for (let milliseconds = 0; milliseconds < 24; milliseconds += 1) {
      const { node, statuses } = brokerNode('a', 'n')
      const connection = new NatsBroker(server.url, { jetstream: true }).join(node)
      connection.ready.catch(() => {})
      await sleep(milliseconds / 2)
      await connection.close()
      told.push(statuses)
    }
    await sleep(OUTAGE_MS + 100)
    assert.deepEqual(told.flat(), [])
  })

  it('is not read again for positions that clients make up of the numbers of recent events', async () => {
    const [a] = (await joinNodes(server, ['a'], { jetstream: true })) as [NatsTestNode]
    await a.publish('x'.repeat(500_000))
    await a.publish('last')
    const before = a.nats.stats().inBytes
    await Promise.all(Array.from({ length: 20 }, (_, at) => a.broker.reach(`1.${at}`, PATIENCE_MS)))
    assert.ok(a.nats.stats().inBytes - before < 500_000)
  })
})
