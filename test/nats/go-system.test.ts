import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { NatsConnection } from '@nats-io/transport-node'
import type { Browser, Page } from 'playwright-core'
import { createClient } from 'redis'
import { NatsBroker } from '../../adapters/nats/index.ts'
import { redisCluster } from '../../adapters/redis/index.ts'
import { adapterOf, startApp, type TestApp } from '../support/apps.ts'
import { launchBrowser } from '../support/browser.ts'
import { OtherCodec } from '../support/comet-proto.ts'
import { scaled, until } from '../support/inbox.ts'
import { connectNats, NatsServer } from '../support/nats-server.ts'
import { RedisServer } from '../support/redis-server.ts'
import '../support/process-guard.ts'

const PAGE_MS = scaled(20_000)
const GRACE_MS = 300
const EVENTS = 'io.goeasy.service.comet'
const ACTIVITY = 'io.goeasy.topic.user-activity'
const TYPES = ['UNSPECIFIED', 'ONLINE', 'OFFLINE', 'HEARD', 'ENTER_ROOM', 'LEAVE_ROOM']

/** Runs in the page. */
const SCRIPT = `
  const page = { events: [], source: new EventSource('/comet' + location.search) }
  page.source.addEventListener('message', ({ data }) => page.events.push(data))
  page.source.addEventListener('demo', ({ data }) => page.events.push('demo ' + data))
  page.source.addEventListener('comet.ready', ({ data }) => { page.ready = JSON.parse(data) })
  page.send = (packet) => fetch('/comet/' + page.ready.sid + location.search, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(packet),
  }).then(({ status }) => status)
`

/** An activity as the Go service reads it. */
interface Heard {
  readonly what: string
  readonly time: bigint
}

/** A Go service: it knows go-micro's envelope and the proto file, and nothing of Comet. */
class GoService {
  readonly heard: Heard[] = []
  /** What is wrong with the envelopes that it gets. */
  readonly faults: string[] = []
  readonly #nats: NatsConnection
  readonly #activity = new OtherCodec('UserActivityEvent')
  readonly #event = new OtherCodec('Event')

  constructor(nats: NatsConnection) {
    this.#nats = nats
    nats.subscribe(ACTIVITY, { callback: (_error, { data }) => this.#take(data) })
  }

  #take(data: Uint8Array): void {
    const { Header, Body, ...rest } = JSON.parse(Buffer.from(data).toString())
    const expected = { 'Content-Type': 'application/protobuf', 'Micro-Topic': ACTIVITY }
    if (JSON.stringify([Header, rest]) !== JSON.stringify([expected, {}]))
      this.faults.push(JSON.stringify(Header))
    const bytes = Buffer.from(Body, 'base64')
    const { type, uid, rid, time } = this.#activity.decode(bytes)
    if (bytes.toString('base64') !== Body) this.faults.push(Body)
    this.heard.push({ what: `${TYPES[Number(type)]} ${uid} ${rid}`.trim(), time: BigInt(time as bigint) })
  }

  /** Publishes as go-micro v2 does by default. */
  publishV2(event: { uid?: string; rid?: string; evt?: string }): void {
    this.#publish('application/grpc+proto', this.#event.encode(event), {
      'Micro-From-Service': 'io.goeasy.cli.pub',
      'Micro-Topic': EVENTS,
    })
  }

  /** Publishes as go-micro v5 does by default, and with the metadata of a request. */
  publishV5(event: { uid?: string; rid?: string; evt?: string }): void {
    this.#publish('application/json', Buffer.from(`${JSON.stringify(event)}\n`), {
      Authorization: 'Bearer secret',
      'Micro-ID': '9e1b0e0e-7a53-4b5a-bd5e-f7c9a3d0c3d0',
      'Micro-Topic': EVENTS,
    })
  }

  /** Publishes as go-micro v5 does with gRPC's content type: in a frame. */
  publishFramed(event: { uid?: string; rid?: string; evt?: string }): void {
    const bytes = this.#event.encode(event)
    const head = Buffer.alloc(5)
    head.writeUInt32BE(bytes.length, 1)
    this.#publish('application/grpc+proto', Buffer.concat([head, bytes]), { 'Micro-Topic': EVENTS })
  }

  #publish(type: string, body: Buffer, headers: Record<string, string>): void {
    const Header = { 'Content-Type': type, ...headers }
    this.#nats.publish(EVENTS, JSON.stringify({ Header, Body: body.toString('base64') }))
  }

  /** Waits for what it heard of a user, and takes it. */
  async hears(uid: string, ...whats: string[]): Promise<bigint[]> {
    const ofUser = () => this.heard.filter(({ what }) => what.split(' ')[1] === uid)
    await until(
      () => ofUser().length >= whats.length,
      () => `heard: ${ofUser().map(({ what }) => what)}`,
      PAGE_MS,
    )
    const heard = ofUser()
    assert.deepEqual(
      heard.map(({ what }) => what),
      whats,
    )
    for (const one of heard) this.heard.splice(this.heard.indexOf(one), 1)
    return heard.map(({ time }) => time)
  }
}

for (const jetstream of [false, true]) {
  describe(`The system of Go services, ${jetstream ? 'with' : 'without'} JetStream`, function () {
    this.timeout(scaled(90_000))
    let browser: Browser
    let redis: RedisServer
    let server: NatsServer
    let go: GoService
    const apps: TestApp[] = []
    const ends: (() => unknown)[] = []

    before(async function () {
      browser = await launchBrowser(this)
      redis = await RedisServer.start(this)
      server = await NatsServer.start(this, { jetstream })
      const nats = await connectNats(server)
      ends.push(() => nats.close())
      go = new GoService(nats)
      await nats.flush()
      for (let node = 0; node < 2; node += 1) apps.push(await start())
    })
    after(async () => {
      await browser?.close()
      for (const app of apps.splice(0)) await app.close()
      for (const end of ends.splice(0)) await end()
      await redis?.stop()
      await server?.stop()
    })

    async function start(): Promise<TestApp> {
      const client = await createClient({ url: redis.url }).connect()
      client.on('error', () => {})
      const nats = await connectNats(server)
      ends.push(
        () => client.destroy(),
        () => nats.close(),
      )
      const app = await startApp(adapterOf('Express 5'), {
        comet: {
          ...redisCluster(client),
          broker: new NatsBroker(nats, { jetstream }),
          namespace: 'io.goeasy',
          heard: 'record',
          offlineGrace: GRACE_MS,
          canEnter: () => true,
        },
        identify: ({ url = '' }) => new URL(url, 'http://x').searchParams.get('u') ?? undefined,
        before: [servePage],
      })
      await app.comet.ready
      return app
    }

    function servePage({ url = '' }: IncomingMessage, res: ServerResponse, next: () => void): void {
      if (!url.startsWith('/page')) next()
      else res.setHeader('content-type', 'text/html').end(`<!doctype html><script>${SCRIPT}</script>`)
    }

    async function open(node: number, u: string, rid: string): Promise<Page> {
      const page = await browser.newPage()
      await page.goto(`${apps[node]?.origin}/page?${new URLSearchParams({ u, rid, clientId: u })}`)
      await until(async () => await page.evaluate('page.ready !== undefined'), 'ready', PAGE_MS)
      return page
    }

    const eventsOf = (page: Page) => page.evaluate('page.events') as Promise<string[]>
    const send = (page: Page, packet: object) => page.evaluate(`page.send(${JSON.stringify(packet)})`)

    it('publishes to users, rooms and the world, and hears of users as from the Go server', async () => {
      const alice = await open(0, 'alice', 'den')
      const bob = await open(1, 'bob', 'den')
      const [online, entered] = await go.hears('alice', 'ONLINE alice', 'ENTER_ROOM alice den')
      await go.hears('bob', 'ONLINE bob', 'ENTER_ROOM bob den')
      assert.equal(online, entered)

      go.publishV2({ uid: 'alice', rid: 'ignored', evt: 'to alice' })
      go.publishV5({ rid: 'den', evt: '<b>"den"</b>' })
      go.publishFramed({ evt: 'to the world' })
      const message =
        '{"server":"io.goeasy.cli.pub","event":"demo","data":"\\u003cb\\u003e","time":1700000000123456789}'
      go.publishV5({ uid: 'bob', evt: message })
      await apps[0]?.comet.publish({ rid: 'den', event: 'demo', data: { from: 'node' } })
      const shared = ['<b>"den"</b>', 'to the world']
      const named = 'demo {"from":"node"}'
      await until(
        async () => (await eventsOf(alice)).includes(named) && (await eventsOf(bob)).includes(named),
      )
      assert.deepEqual((await eventsOf(alice)).sort(), ['to alice', ...shared, named].sort())
      assert.deepEqual((await eventsOf(bob)).sort(), [...shared, message, named].sort())

      assert.equal(await send(bob, { type: 'JOIN', join: { rid: 'hall' } }), 204)
      const [heard = 0n, joined = 0n] = await go.hears('bob', 'HEARD bob', 'ENTER_ROOM bob hall')
      assert.ok(heard <= joined && joined > (entered ?? 0n))
      // HEARD goes into the record once a second at most.
      await sleep(1_050)
      assert.equal(await send(bob, { type: 'LEAVE', leave: { rid: 'den' } }), 204)
      await go.hears('bob', 'HEARD bob', 'LEAVE_ROOM bob den')

      // A second tab of the same user, on the other node, is nothing that Go services hear of.
      const tab = await browser.newPage()
      await tab.goto(`${apps[1]?.origin}/page?u=alice&rid=den&clientId=second`)
      await until(async () => await tab.evaluate('page.ready !== undefined'), 'ready', PAGE_MS)
      await tab.close()
      await bob.close()
      const [left, offline] = await go.hears('bob', 'LEAVE_ROOM bob hall', 'OFFLINE bob')
      assert.equal(left, offline)
      await alice.close()
      const ends = await go.hears('alice', 'LEAVE_ROOM alice den', 'OFFLINE alice')
      assert.equal(ends[0], ends[1])
      await sleep(GRACE_MS)
      assert.deepEqual([go.heard, go.faults], [[], []])
      assert.deepEqual(
        apps.map(({ errors }) => errors),
        [[], []],
      )
    })
  })
}
