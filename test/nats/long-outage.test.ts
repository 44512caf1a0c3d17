import type { NatsConnection } from '@nats-io/transport-node'
import { NatsBroker } from '../../adapters/nats/index.ts'
import { type Comet, MemoryBroker } from '../../lib/index.ts'
import { closeComets, makeComet } from '../support/comets.ts'
import { scaled } from '../support/inbox.ts'
import { AWAY_MS, outlast } from '../support/long-outage.ts'
import { connectNats, NatsServer } from '../support/nats-server.ts'
import '../support/process-guard.ts'

for (const jetstream of [false, true]) {
  describe(`An app whose NATS is away for long, under load, ${jetstream ? 'with' : 'without'} JetStream`, function () {
    this.timeout(scaled(AWAY_MS + 60_000))
    let server: NatsServer
    const connections: NatsConnection[] = []

    beforeEach(async function () {
      server = await NatsServer.start(this, { jetstream })
    })
    afterEach(async () => {
      await closeComets()
      for (const nats of connections.splice(0)) await nats.close()
      await server?.stop()
    })

    async function join(
      others: Pick<MemoryBroker, 'presence' | 'controller'>,
      reconnectTimeWait: number,
    ): Promise<Comet> {
      const nats = await connectNats(server, { reconnectTimeWait })
      connections.push(nats)
      const { presence, controller } = others
      const broker = new NatsBroker(nats, { jetstream })
      const { comet } = makeComet({
        broker,
        presence,
        controller,
        offlineGrace: 60_000,
        historyEvents: 1_000,
      })
      await comet.ready
      return comet
    }

    it('keeps its memory flat, says each end once, and delivers all that was accepted', async () => {
      const others = new MemoryBroker()
      const one = await join(others, 100)
      // It is back when the other one has sent what it had.
      const two = await join(others, 800)
      await outlast(one, two, { name: 'NATS', server, ports: ['broker'], mayMiss: !jetstream })
    })
  })
}
