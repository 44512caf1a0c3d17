import type { NatsConnection } from '@nats-io/transport-node'
import { NatsBroker } from '../../adapters/nats/index.ts'
import { brokerContract } from '../contracts/broker.ts'
import { connectNats, NatsServer } from '../support/nats-server.ts'
import '../support/process-guard.ts'

describe('NatsBroker', () => {
  let server: NatsServer
  let nats: NatsConnection

  before(async function () {
    server = await NatsServer.start(this)
  })
  after(() => server?.stop())
  beforeEach(async () => {
    nats = await connectNats(server)
  })
  afterEach(() => nats.close())

  brokerContract({ describe, it, beforeEach, afterEach }, () => new NatsBroker(nats), { order: 'own' })
})

describe('NatsBroker with an address', () => {
  let server: NatsServer

  before(async function () {
    server = await NatsServer.start(this)
  })
  after(() => server?.stop())

  brokerContract({ describe, it, beforeEach, afterEach }, () => new NatsBroker(server.url), { order: 'own' })
})

for (const storage of ['file', 'memory'] as const) {
  describe(`NatsBroker with JetStream, storage ${storage}`, () => {
    let server: NatsServer
    let nats: NatsConnection

    before(async function () {
      server = await NatsServer.start(this, { jetstream: true })
    })
    after(() => server?.stop())
    beforeEach(async () => {
      nats = await connectNats(server)
    })
    afterEach(() => nats.close())

    brokerContract(
      { describe, it, beforeEach, afterEach },
      () => new NatsBroker(nats, { jetstream: { storage } }),
    )
  })
}
