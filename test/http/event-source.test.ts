import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import FakeTimers from '@sinonjs/fake-timers'
import { type AppOptions, identifyByHeader, nodeHttp, startApp, type TestApp } from '../support/apps.ts'
import { connect, type EventSourceClient, openEventSource, postPacket } from '../support/clients.ts'
import '../support/process-guard.ts'

/** The least and most milliseconds that a client waits with `retry: 1_000`. */
const [SHORTEST_MS, LONGEST_MS] = [750, 1_250]

const HOUR_MS = 3_600_000

/** The ways in which a client is told to stay away, each of the user of that name. */
const endings = {
  DISCONNECTED: ({ comet }: TestApp, sid: string) => comet.disconnect({ sid }, { reason: 'banned' }),
  BYE: (app: TestApp, sid: string) => postPacket(app, 'BYE', sid, { type: 'BYE', bye: { connection: sid } }),
  EVICTED: (app: TestApp) => connect(app, 'EVICTED'),
  TAKEN_OVER: (app: TestApp) => connect(app, 'TAKEN_OVER', { path: '?clientId=page' }),
} as const

describe('EventSource', () => {
  let clock: FakeTimers.Clock
  let app: TestApp
  let client: EventSourceClient
  /** How many requests the client has sent. */
  let requests: number

  beforeEach(() => {
    clock = FakeTimers.install({
      toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'],
      // In the past: time stamps of the process never go back, not even after these tests.
      now: Date.now() - 24 * HOUR_MS,
    })
  })
  afterEach(async () => {
    client.close()
    clock.uninstall()
    await app.close()
  })

  const open = async (query: string, { comet, ...options }: AppOptions = {}) => {
    app = await startApp(nodeHttp, { ...options, comet: { retry: 1_000, heartbeatInterval: 0, ...comet } })
    requests = 0
    app.server.on('request', ({ method, url = '' }: IncomingMessage) => {
      if (method === 'GET' && url.endsWith('&own')) requests += 1
    })
    client = openEventSource(`${app.url}?${query}&own`)
  }
  /** Settles when the client has lost its stream and waits. */
  const lost = () =>
    new Promise((resolve) => client.source.addEventListener('error', resolve, { once: true }))
  /** What the client has requested by now has arrived when this settles. */
  const arrived = async () => {
    const other = await connect(app, 'other')
    other.destroy()
  }
  const received = () => client.events.filter(({ type }) => type === 'message').map(({ data }) => data)
  const codeOf = ({ data }: { readonly data: string }): string => JSON.parse(data).code

  it('gets comet.ready and events, with ids', async () => {
    await open('u=alice')
    const ready = await client.next()
    assert.equal(ready.type, 'comet.ready')
    assert.equal(JSON.parse(ready.data).uid, 'alice')
    assert.ok(ready.lastEventId)
    await app.comet.publish({ uid: 'alice', evt: { event: 'chat', data: { text: 'hi' } } })
    const { data, lastEventId } = await client.next('message')
    const message = JSON.parse(data)
    assert.deepEqual([message.event, JSON.parse(message.data)], ['chat', { text: 'hi' }])
    assert.ok(lastEventId && lastEventId !== ready.lastEventId && lastEventId !== message.id)
  })

  for (const [status, query] of [
    [401, 'u='],
    [403, 'u=alice&rid=lobby'],
    [400, 'u=alice&clientId=a%0Ab'],
  ] as const) {
    it(`gives up for good on ${status}`, async () => {
      await open(query)
      assert.equal(await client.failed, status)
      assert.deepEqual(client.events, [])
    })
  }

  it('waits as long as the server asks before it comes back, and sends the id of the last event', async () => {
    const positions: unknown[] = []
    await open('u=alice', {
      identify: (req) => {
        if (req.url?.endsWith('&own')) positions.push(req.headers['last-event-id'])
        return identifyByHeader(req)
      },
    })
    await client.next('comet.ready')
    await app.comet.publish({ uid: 'alice', evt: 'hi' })
    const { lastEventId } = await client.next('message')
    const waits = lost()
    for (const socket of app.sockets) socket.destroy()
    await waits
    clock.tick(SHORTEST_MS - 1)
    await arrived()
    assert.equal(requests, 1)
    clock.tick(LONGEST_MS - SHORTEST_MS + 1)
    await client.next('comet.ready')
    assert.deepEqual(positions, [undefined, lastEventId])
  })

  it('gets every event once and in order, though its connection is cut', async () => {
    await open('u=alice&rid=den', { comet: { canEnter: () => true } })
    const evts = Array.from({ length: 30 }, (_, index) => `${index}`)
    const publish = async (from: number, to: number) => {
      for (const evt of evts.slice(from, to)) {
        const target = [{ uid: 'alice' }, { rid: 'den' }, {}][Number(evt) % 3]
        await app.comet.publish({ ...target, evt })
      }
    }
    await client.next('comet.ready')
    for (const round of [0, 10]) {
      await publish(round, round + 5)
      await client.next('message')
      const waits = lost()
      for (const socket of app.sockets) socket.destroy()
      await publish(round + 5, round + 10)
      await waits
      clock.tick(LONGEST_MS)
      assert.equal(JSON.parse((await client.next('comet.ready')).data).recovered, true)
    }
    await publish(20, 30)
    while ((await client.next('message')).data !== evts.at(-1)) {}
    assert.deepEqual(received(), evts)
    assert.deepEqual(client.statuses, [200, 200, 200])
  })

  it('comes back after Comet.close, and again after each temporary answer', async () => {
    await open('u=alice')
    await client.next('comet.ready')
    let waits = lost()
    await app.comet.close()
    assert.equal(codeOf(await client.next('comet.close')), 'SHUTDOWN')
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await waits
      waits = lost()
      clock.tick(LONGEST_MS)
      assert.equal(codeOf(await client.next('comet.close')), 'SHUTTING_DOWN')
    }
    assert.deepEqual(client.statuses, [200, 200, 200])
    assert.notEqual(client.source.readyState, client.source.CLOSED)
  })

  it('comes back until there is room for it (maxSessions)', async () => {
    await open('u=', { comet: { maxSessions: 1 }, identify: (req) => identifyByHeader(req) || 'bob' })
    await client.next('comet.ready')
    let waits = lost()
    for (const socket of app.sockets) socket.destroy()
    const alice = await connect(app, 'alice')
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await waits
      waits = lost()
      clock.tick(LONGEST_MS)
      assert.equal(codeOf(await client.next()), 'UNAVAILABLE')
    }
    alice.destroy()
    await waits
    // Not `until`, whose pauses are on the clock of the test.
    while (app.comet.stats().sessions > 0) await new Promise(setImmediate)
    clock.tick(LONGEST_MS)
    await client.next('comet.ready')
    await app.comet.publish({ uid: 'bob', evt: 'hi' })
    assert.equal((await client.next('message')).data, 'hi')
    assert.deepEqual(new Set(client.statuses), new Set([200]))
  })

  it('comes back as another user after its identity has expired, and gets no event of the first', async () => {
    const expiresAt = Date.now() + HOUR_MS
    let user = 'alice'
    await open('rid=den&clientId=browser', {
      comet: { canEnter: () => true, maxConnectionAge: 0 },
      identify: (req) => identifyByHeader(req) ?? (user === 'alice' ? { uid: user, expiresAt } : user),
    })
    const { comet } = app
    const alice = JSON.parse((await client.next('comet.ready')).data)
    await postPacket(app, 'alice', alice.sid, { type: 'JOIN', join: { rid: 'alices' } })
    await comet.publish({ uid: 'alice', evt: 'hers' })
    assert.ok((await client.next('message')).lastEventId)
    const waits = lost()
    clock.tick(2 * HOUR_MS)
    assert.equal(codeOf(await client.next('comet.close')), 'EXPIRED')
    await waits
    user = 'bob'
    await comet.publish({ uid: 'alice', evt: 'secret' })
    await comet.publish({ rid: 'alices', evt: 'secret' })
    await comet.publish({ uid: 'bob', evt: 'his' })
    await comet.publish({ rid: 'den', evt: "the den's" })
    await comet.publish({ evt: "the world's" })
    clock.tick(LONGEST_MS)
    const bob = JSON.parse((await client.next('comet.ready')).data)
    await comet.publish({ uid: 'alice', evt: 'secret' })
    await comet.publish({ uid: 'bob', evt: 'that is all' })
    while ((await client.next('message')).data !== 'that is all') {}
    assert.deepEqual(received(), ['hers', 'his', "the den's", "the world's", 'that is all'])
    assert.deepEqual([bob.uid, bob.rooms, bob.recovered], ['bob', ['den'], true])
    assert.notEqual(bob.sid, alice.sid)
    assert.deepEqual(client.statuses, [200, 200])
  })

  for (const [code, end] of Object.entries(endings)) {
    it(`comes back once after comet.close with the code ${code}, gets 204, and never comes back again`, async () => {
      await open(`clientId=page&u=${code}`, { comet: { maxSessionsPerUser: 1 } })
      const { sid } = JSON.parse((await client.next('comet.ready')).data)
      const waits = lost()
      await end(app, sid)
      const close = JSON.parse((await client.next('comet.close')).data)
      assert.deepEqual([close.code, close.reconnect], [code, false])
      await waits
      clock.tick(LONGEST_MS)
      assert.equal(await client.failed, 204)
      clock.tick(HOUR_MS)
      await arrived()
      assert.equal(requests, 2)
      assert.deepEqual(client.statuses, [200, 204])
      assert.equal(client.source.readyState, client.source.CLOSED)
    })
  }
})
