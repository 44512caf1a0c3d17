import assert from 'node:assert/strict'
import { headers } from '@nats-io/transport-node'
import { scaled, until } from '../support/inbox.ts'
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
})
