import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  connect,
  type EventSourceClient,
  openEventSource,
  postPacket,
  request,
  type Send,
} from '../support/clients.ts'
import { type Adapter, adapters, type Host, http1Adapters } from '../support/http.ts'
import { within } from '../support/inbox.ts'
import '../support/process-guard.ts'

/** The ways in which a client is told to stay away, each of the user of that name. */
const ways = {
  DISCONNECTED: ({ comet }: Host, sid: string) => comet.disconnect({ sid }, { reason: 'banned' }),
  BYE: (host: Host, sid: string) => postPacket(host, 'BYE', sid, { type: 'BYE' }),
  EVICTED: (host: Host) => connect(host, 'EVICTED'),
  TAKEN_OVER: (host: Host) => connect(host, 'TAKEN_OVER', { path: '?clientId=page' }),
} as const

/** Longer than a client with `retry: 1_000` waits before it comes back. */
const LONG_ENOUGH_MS = 1_500

for (const adapter of http1Adapters) {
  it(`An EventSource that is told to stay away behind ${adapter.name} comes back once, gets 204, and rests`, () =>
    staysAway(adapter)).timeout(20_000)
}

async function staysAway(adapter: Adapter) {
  const host = await adapter.host({ comet: { retry: 1_000, maxSessionsPerUser: 1 } })
  const requests: string[] = []
  host.server.on('request', ({ method, url }: IncomingMessage) => {
    if (method === 'GET') requests.push(String(url))
  })
  const clients: EventSourceClient[] = []
  try {
    await Promise.all(
      Object.entries(ways).map(async ([code, end]) => {
        const client = openEventSource(`${host.url}?clientId=page&own&u=${code}`)
        clients.push(client)
        const { sid } = JSON.parse((await client.next('comet.ready')).data)
        await end(host, sid)
        const close = JSON.parse((await client.next('comet.close')).data)
        assert.deepEqual([close.code, close.reconnect], [code, false])
        assert.equal(await within(client.failed, 'giving up'), 204)
      }),
    )
    await sleep(LONG_ENOUGH_MS)
    for (const [index, code] of Object.keys(ways).entries()) {
      const own = requests.filter((url) => url.endsWith(`&own&u=${code}`))
      assert.equal(own.length, 2, `${code}: ${own}`)
      const client = clients[index] as EventSourceClient
      assert.deepEqual(client.statuses, [200, 204])
      assert.equal(client.source.readyState, client.source.CLOSED)
    }
  } finally {
    for (const client of clients) client.close()
    await host.close()
  }
}

for (const adapter of adapters) {
  describe(`A client that was kicked behind ${adapter.name}`, () => {
    let host: Host

    beforeEach(async () => {
      host = await adapter.host()
    })
    afterEach(() => host.close())

    /** Connects somebody, kicks it, and gives the mark it got. */
    const markOf = async (user: string, path = '') => {
      const stream = await connect(host, user, { path })
      assert.equal(await host.comet.disconnect({ sid: stream.sid }, { reason: 'banned' }), 1)
      const { data, id = '' } = await stream.next('comet.close')
      assert.deepEqual(JSON.parse(data), { code: 'DISCONNECTED', reason: 'banned', reconnect: false })
      assert.equal(await within(stream.ended, 'the end'), true)
      return id
    }
    const comeBack = async (user: string, mark: string, path = '') =>
      await connect(host, user, { path, headers: { 'last-event-id': mark } })

    it('is answered 204 without a body, whether it shows its mark in the header or the URL', async () => {
      const mark = await markOf('alice')
      const shown: Send[] = [
        { headers: { 'x-user': 'alice', 'last-event-id': mark } },
        { headers: { 'x-user': 'alice' }, path: `?lastEventId=${encodeURIComponent(mark)}` },
      ]
      for (const send of shown) {
        const { status, text, headers } = await request(host, send)
        assert.deepEqual([status, text], [204, ''])
        assert.equal(headers['content-type'], undefined)
        assert.equal(headers['cache-control'], 'no-store')
      }
      assert.equal(host.comet.stats().sessions, 0)
    })

    it('connects again with a reload, which knows of no mark', async () => {
      await markOf('alice')
      const { ready, destroy } = await connect(host, 'alice')
      assert.deepEqual([ready.uid, ready.recovered], ['alice', false])
      destroy()
    })

    it('leaves the other tabs of its user alone, also when they come back', async () => {
      const other = await connect(host, 'alice')
      await markOf('alice')
      await host.comet.publish({ uid: 'alice', evt: 'still here' })
      const { data, id = '' } = await other.next('message')
      assert.equal(data, 'still here')
      other.destroy()
      const back = await comeBack('alice', id)
      assert.equal(back.ready.recovered, true)
      back.destroy()
    })

    it('has a mark that keeps away nobody else, no other page of its own, and nobody when changed', async () => {
      const path = '?clientId=page'
      const mark = await markOf('alice', path)
      const changed = mark.replace(/.{4}$/, 'AAAA')
      for (const [user, shown, where] of [
        ['bob', mark, path],
        ['alice', mark, '?clientId=other'],
        ['alice', mark, ''],
        ['alice', changed, path],
        ['alice', `${mark}A`, path],
      ] as const) {
        const { ready, blocks, next, destroy } = await comeBack(user, shown, where)
        assert.deepEqual([ready.uid, ready.recovered], [user, false])
        await host.comet.publish({ uid: user, evt: 'hi' })
        assert.equal((await next('message')).data, 'hi')
        assert.equal(blocks[1]?.event, 'comet.gap')
        destroy()
      }
      const headers = { 'x-user': 'alice', 'last-event-id': mark }
      assert.equal((await request(host, { path, headers })).status, 204)
    })

    it('still is nobody when it has signed out, and gets 401', async () => {
      const mark = await markOf('alice')
      assert.equal((await request(host, { headers: { 'last-event-id': mark } })).status, 401)
    })
  })
}
