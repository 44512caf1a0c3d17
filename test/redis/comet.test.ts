import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { Redis } from 'ioredis'
import { redisCluster } from '../../adapters/redis/index.ts'
import { type Comet, MemoryBroker } from '../../lib/index.ts'
import { closeComets, makeComet } from '../support/comets.ts'
import { scaled, until } from '../support/inbox.ts'
import { MemoryTransport } from '../support/memory-transport.ts'
import { RedisServer } from '../support/redis-server.ts'
import '../support/process-guard.ts'

describe('Comets on redisCluster', function () {
  this.timeout(scaled(30_000))
  let server: RedisServer
  let client: Redis
  const comets: [Comet, Comet] = [] as never

  beforeEach(async function () {
    server = await RedisServer.start(this)
    client = new Redis({ port: server.port, retryStrategy: () => 20 })
    client.on('error', () => {})
    const { presence } = new MemoryBroker()
    for (const at of [0, 1]) {
      const { broker, controller } = redisCluster(client)
      comets[at] = makeComet({ broker, controller, presence, offlineGrace: 60_000 }).comet
    }
    await Promise.all(comets.map(({ ready }) => ready))
  })
  afterEach(async () => {
    await closeComets()
    client.disconnect()
    await server?.stop()
  })

  async function connect(comet: Comet, identity: string, position?: string, clientId = identity) {
    const transport = new MemoryTransport()
    const from = position === undefined ? {} : { position }
    await comet.connect({ identity, transport, rids: ['den'], clientId, ...from })
    return transport
  }

  it('deliver to the sessions of all nodes, and let a client resume on any of them', async () => {
    const [one, two] = comets
    const first = await connect(one, 'alice')
    const bob = await connect(two, 'bob')
    await two.publish({ rid: 'den', evt: '1' })
    await until(() => first.published.length === 1 && bob.published.length === 1)
    const position = first.lastEventId
    first.drop()
    for (const evt of ['2', '3']) await one.publish({ rid: 'den', evt })
    await two.publish({ uid: 'alice', evt: '4' })
    const second = await connect(two, 'alice', position)
    assert.equal(second.control('ready')?.recovered, true)
    await one.publish({ rid: 'den', evt: '5' })
    await until(() => second.published.length === 4 && bob.published.length === 4)
    assert.deepEqual(
      [second.published, bob.published],
      [
        ['2', '3', '4', '5'],
        ['1', '2', '3', '5'],
      ],
    )
    assert.equal(second.control('gap'), undefined)
  })

  it('disconnect on any node, after what was published before', async () => {
    const [one, two] = comets
    for (let count = 0; count < 20; count += 1) {
      const transport = await connect(count % 2 ? one : two, `user ${count}`)
      one.publish({ uid: `user ${count}`, evt: 'bye' })
      await one.disconnect({ uid: `user ${count}` })
      await until(() => transport.closed)
      assert.deepEqual(transport.published, ['bye'])
    }
  })

  it('use the keys that docs/scaling.md names', async () => {
    const make = () => makeComet({ ...redisCluster(client), namespace: 'keys', historyBytes: 1 })
    const nodes = [make(), make()]
    const [one, two] = nodes.map(({ comet }) => comet) as [Comet, Comet]
    await Promise.all([one.ready, two.ready])
    const alice = await connect(one, 'alice')
    for (let count = 0; count < 5; count += 1) await two.publish({ rid: 'den', evt: 'x'.repeat(100_000) })
    await two.disconnect({ uid: 'alice' })
    await until(() => alice.closed)
    const found = await client.keys('comet:{keys}:*')
    const used = new Set(
      found.map((key) => key.slice('comet:{keys}:'.length).replace(/^(inbox):.*/, '$1:<node>')),
    )
    const table = readFileSync('docs/scaling.md', 'utf8').split('| key | what it is |')[1]?.split('\n\n')[0]
    const named = table?.match(/^\| `[^|]*/gm)?.flatMap((cell) => cell.match(/[a-z:<>]+/g) ?? [])
    assert.deepEqual(Array.from(used).sort(), named?.sort())
  })

  it('say the gap to every session when Redis lost its data, and go on', async () => {
    const [one, two] = comets
    const clients = [await connect(one, 'alice'), await connect(two, 'bob')]
    await one.publish({ rid: 'den', evt: '1' })
    await until(() => clients.every(({ published }) => published.length === 1))
    await server.kill()
    await server.restart()
    await until(() => clients.every((client) => client.control('gap') !== undefined))
    await two.publish({ rid: 'den', evt: '2' })
    await until(() => clients.every(({ published }) => published.length === 2))
    const late = await connect(one, 'carol', clients[0]?.lastEventId)
    assert.equal(late.control('gap'), undefined)
  })
})
