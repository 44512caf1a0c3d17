import assert from 'node:assert/strict'
import { jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { createClient } from 'redis'
import { NatsBroker, type NatsBrokerOptions } from '../../adapters/nats/index.ts'
import { redisCluster } from '../../adapters/redis/index.ts'
import { type Comet, type CometOptions, Publisher } from '../../lib/index.ts'
import { closeComets, makeComet } from '../support/comets.ts'
import { scaled, until } from '../support/inbox.ts'
import { MemoryTransport } from '../support/memory-transport.ts'
import { connectNats, NatsServer } from '../support/nats-server.ts'
import { RedisServer } from '../support/redis-server.ts'
import '../support/process-guard.ts'

const NAMESPACE = 'io.goeasy'

/** How events go between the Comets. Presence and controller are those of Redis. */
const BROKERS: Readonly<Record<string, NatsBrokerOptions | undefined>> = {
  Redis: undefined,
  NATS: {},
  JetStream: { jetstream: true },
}

describe('Comets on NatsBroker and redisCluster', function () {
  this.timeout(scaled(60_000))
  let redis: RedisServer
  let server: NatsServer
  let nats: NatsConnection
  const ends: (() => unknown)[] = []

  before(async function () {
    redis = await RedisServer.start(this)
    server = await NatsServer.start(this, { jetstream: true })
  })
  after(async () => {
    await redis?.stop()
    await server?.stop()
  })
  beforeEach(async () => {
    nats = await connectNats(server)
  })
  afterEach(async () => {
    await closeComets()
    for (const end of ends.splice(0)) await end()
    const { streams } = await jetstreamManager(nats)
    for await (const { config } of streams.list()) await streams.delete(config.name)
    await nats.close()
    await redis.flush()
  })

  async function ports(options: NatsBrokerOptions | undefined) {
    const client = await createClient({ url: redis.url }).connect()
    client.on('error', () => {})
    ends.push(() => client.destroy())
    const cluster = redisCluster(client)
    if (options === undefined) return cluster
    const connection = await connectNats(server)
    ends.push(() => connection.close())
    return { ...cluster, broker: new NatsBroker(connection, options) }
  }

  async function make(options: NatsBrokerOptions | undefined, more: CometOptions = {}): Promise<Comet> {
    const { comet } = makeComet({
      ...(await ports(options)),
      namespace: NAMESPACE,
      server: 'the server',
      offlineGrace: 60_000,
      ...more,
    })
    await comet.ready
    return comet
  }

  async function connect(comet: Comet, uid: string, ...rids: string[]): Promise<MemoryTransport> {
    const transport = new MemoryTransport()
    await comet.connect({ identity: uid, transport, rids, clientId: uid })
    return transport
  }

  /** Publishes everything that an app may, on one node. @returns what the clients of another one got */
  async function publishAllKinds(options: NatsBrokerOptions | undefined): Promise<string[]> {
    const [one, two] = [await make(options), await make(options)]
    const clients = [
      await connect(two, 'alice', 'a', 'b'),
      await connect(two, 'bob', 'a'),
      await connect(two, 'é "\\ carol', 'b', 'room: é\u2028'),
    ]
    const sids = clients.map((client) => client.control('ready')?.sid as string)
    const [first = '', second = ''] = sids
    await one.publish({ uid: 'alice', evt: 'text\nof lines' })
    await one.publish({ uid: ['alice', 'bob', 'nobody'], evt: 'to users' })
    await one.publish({ rid: ['a', 'b', 'empty'], event: 'named', data: { text: '"\u2028<é>', none: null } })
    await one.publish({ rid: 'room: é\u2028', evt: '' })
    await one.publish({ event: 'bare' })
    await one.publish({ evt: 'to the world' }, { except: { uid: ['alice'] } })
    await one.publish({ rid: ['a', 'b'], evt: 'not to one' }, { except: { sid: [first] }, transient: true })
    await one.publish({ sid: [first, second], event: 'session', data: 1 })
    await one.publish({ sid: second, evt: 'to a session' }, { transient: true })
    await one.publish({ uid: 'é "\\ carol', evt: { event: 'demo', data: 'x', id: 'i', time: 5n } })
    const publisher = new Publisher({ ...(await ports(options)), namespace: NAMESPACE })
    ends.push(() => publisher.close())
    await publisher.publish({ uid: ['alice', 'bob'], event: 'published', data: [1] })
    await one.publish({ event: 'end', data: 1 })
    await until(() => clients.every((client) => client.named.at(-1)?.[0] === 'end'))
    assert.equal(one.history({ rid: 'a' }).length, 1)
    const missed = new MemoryTransport()
    await one.connect({ identity: 'bob', transport: missed, rids: ['a'], recent: 10 })
    await until(() => missed.text.includes('to users'))
    return [...clients, missed].map((client) => published(client.text, sids))
  }

  /** The blocks of published events, without their positions. */
  function published(text: string, sids: readonly string[]): string {
    const blocks = text.split('\n\n').filter((block) => !/^event: comet\./m.test(block))
    const plain = blocks.map((block) => block.replace(/^(id: |:at=).*$/gm, '$1'))
    return sids.reduce((all, sid, at) => all.replaceAll(sid, `sid ${at}`), plain.join('\n\n'))
  }

  it('deliver all kinds of events on another node exactly as over Redis', async () => {
    const [overRedis = [], ...others] = [
      await publishAllKinds(BROKERS.Redis),
      await publishAllKinds(BROKERS.NATS),
      await publishAllKinds(BROKERS.JetStream),
    ]
    assert.equal(overRedis.length, 4)
    assert.match(overRedis[0] ?? '', /data: to users/)
    for (const other of others) assert.deepEqual(other, overRedis)
  })

  for (const name of ['NATS', 'JetStream']) {
    describe(name, () => {
      const options = BROKERS[name]

      it('deliver a forged Event where its uid and rid say, and report it', async () => {
        const [one, two] = [await make(options), await make(options)]
        const errors: string[] = []
        one.on('error', () => {})
        two.on('error', (error) => errors.push(String((error as Error).message)))
        const alice = await connect(two, 'alice', 'den')
        const bob = await connect(two, 'bob', 'den')
        const payloads: string[] = []
        nats.subscribe(`${NAMESPACE}.service.comet`, {
          callback: (_error, message) => {
            payloads.push(message.string())
          },
        })
        await nats.flush()
        await one.publish({ uid: ['alice', 'bob'], event: 'secret', data: 'Authorization: Bearer x' })
        await until(() => payloads.length === 2 && alice.named.length === 1)
        // What a browser's header may become in an Event that a Go service publishes to bob.
        const headers = payloads.map((payload) => JSON.parse(payload).Header as Record<string, string>)
        const Body = Buffer.from('\x0a\x03bob\x1a\x02hi').toString('base64')
        for (const stolen of [
          ...headers,
          { 'Comet-Envelope': '{"from":"x","n":1,"to":{}}' },
          { 'comet-skip': 'x' },
        ]) {
          const Header = { ...stolen, 'Content-Type': 'application/protobuf' }
          nats.publish(`${NAMESPACE}.service.comet`, JSON.stringify({ Header, Body }))
        }
        await until(() => bob.published.length === 4)
        assert.deepEqual([alice.published, alice.named.length, bob.named.length], [[], 1, 1])
        assert.equal(errors.length, 1)
        assert.match(errors[0] ?? '', /1 on io\.goeasy\.service\.comet: A header of Comet is not signed/)
        assert.doesNotMatch(errors[0] ?? '', /Bearer/)
      })

      it('deliver to the world what a Go service publishes without targets, and never what is for a session', async () => {
        const [one, two] = [await make(options), await make(options)]
        const alice = await connect(one, 'alice')
        const bob = await connect(two, 'bob')
        const heard: string[] = []
        nats.subscribe(`${NAMESPACE}.>`, {
          callback: (_error, { subject }) => {
            heard.push(subject)
          },
        })
        nats.publish(`${NAMESPACE}.service.comet`, '{"Header":{},"Body":null}')
        await until(() => alice.published.length === 1 && bob.published.length === 1)
        assert.deepEqual(alice.published, [''])
        await nats.flush()
        heard.length = 0
        await two.publish({ sid: alice.control('ready')?.sid as string, evt: 'for one' })
        await until(() => alice.published.length === 2)
        assert.deepEqual(bob.published, [''])
        await nats.flush()
        assert.deepEqual(heard, [`${NAMESPACE}.comet.session`])
      })

      it('disconnect on any node, after what was published before', async () => {
        const [one, two] = [await make(options), await make(options)]
        for (let count = 0; count < 30; count += 1) {
          const transport = await connect(count % 2 ? one : two, `user ${count}`)
          one.publish({ uid: `user ${count}`, evt: 'bye' })
          await one.disconnect({ uid: `user ${count}` })
          await until(() => transport.closed)
          assert.deepEqual(transport.published, ['bye'])
        }
      })
    })
  }

  it('let a client resume on any node, and after a restart of all, with JetStream', async () => {
    const [one, two] = [await make(BROKERS.JetStream), await make(BROKERS.JetStream)]
    const first = await connect(one, 'alice', 'den')
    await one.publish({ rid: 'den', evt: '1' })
    await until(() => first.published.length === 1)
    first.drop()
    for (const evt of ['2', '3']) await two.publish({ rid: 'den', evt })
    nats.publish(
      `${NAMESPACE}.service.comet`,
      '{"Header":{"Content-Type":"application/json"},"Body":"eyJ1aWQiOiJhbGljZSIsImV2dCI6IjQifQ=="}',
    )
    await nats.flush()
    const resume = async (comet: Comet, position: string | undefined) => {
      const transport = new MemoryTransport()
      const from = { position: position as string }
      await comet.connect({ identity: 'alice', transport, rids: ['den'], clientId: 'alice', ...from })
      await until(() => transport.control('ready') !== undefined)
      return transport
    }
    const second = await resume(two, first.lastEventId)
    await until(() => second.published.length === 3)
    assert.deepEqual([second.published, second.control('ready')?.recovered], [['2', '3', '4'], true])
    await closeComets()
    const three = await make(BROKERS.JetStream)
    const third = await resume(three, first.lastEventId)
    await until(() => third.published.length === 3)
    assert.deepEqual([third.published, third.control('gap')], [['2', '3', '4'], undefined])
  })

  it('tell of a gap on another node without JetStream', async () => {
    const [one, two] = [await make(BROKERS.NATS), await make(BROKERS.NATS)]
    const first = await connect(one, 'alice', 'den')
    const transport = new MemoryTransport()
    const from = { position: first.lastEventId as string }
    await two.connect({ identity: 'alice', transport, rids: ['den'], clientId: 'alice', ...from })
    await until(() => transport.control('gap') !== undefined)
    assert.equal(transport.control('ready')?.recovered, false)
  })
})
