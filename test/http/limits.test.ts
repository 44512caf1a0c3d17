import assert from 'node:assert/strict'
import type { CometOptions } from '../../lib/index.ts'
import { connect, openEventSource, openStream, postPacket, request } from '../support/clients.ts'
import { adapters, type Host, http1Adapters } from '../support/http.ts'
import { until, within } from '../support/inbox.ts'
import '../support/process-guard.ts'

const join = (rid: string) => ({ type: 'JOIN', join: { rid } })
const as = (user: string, path = '') => ({ path, headers: { 'x-user': user } })

for (const adapter of adapters) {
  describe(`Limits of sessions and rooms behind ${adapter.name}`, () => {
    let host: Host

    const start = async (options: CometOptions) => {
      host = await adapter.host({ comet: { canEnter: () => true, ...options } })
    }
    afterEach(() => host.close())

    const sessions = (count: number) =>
      until(
        () => host.comet.stats().sessions === count,
        () => `${count} sessions, but ${host.comet.stats().sessions}`,
      )

    it('maxSessionsPerUser: one more closes the oldest for good, and nobody else', async () => {
      await start({ maxSessionsPerUser: 2 })
      const [first, second] = [await connect(host, 'alice'), await connect(host, 'alice')]
      const bob = await connect(host, 'bob')
      assert.equal(host.comet.stats().sessions, 3)
      const third = await connect(host, 'alice')
      const { data, id } = await first.next('comet.close')
      const { code, reconnect } = JSON.parse(data)
      assert.deepEqual([code, reconnect], ['EVICTED', false])
      assert.equal(await within(first.ended, 'the end'), true)
      const mark = { 'x-user': 'alice', 'last-event-id': String(id) }
      assert.equal((await request(host, { headers: mark })).status, 204)
      await host.comet.publish({ evt: 'hi' })
      for (const { next } of [second, third, bob]) assert.equal((await next()).data, 'hi')
      assert.equal(host.comet.stats().sessions, 3)
    })

    it('maxSessionsPerUser: or is answered 429, until one has left', async () => {
      await start({ maxSessionsPerUser: 2, onExcess: 'reject' })
      const first = await connect(host, 'alice')
      const second = await connect(host, 'alice')
      for (let attempt = 0; attempt < 2; attempt += 1) {
        const { status, json } = await request(host, as('alice'))
        assert.deepEqual([status, json.error.code], [429, 'TOO_MANY_SESSIONS'])
      }
      await connect(host, 'bob')
      first.destroy()
      await sessions(2)
      await connect(host, 'alice')
      assert.equal((await request(host, as('alice'))).status, 429)
      await host.comet.publish({ evt: 'hi' })
      assert.equal((await second.next()).data, 'hi')
    })

    it('maxSessions: one more is sent away for now, by a stream that ends at once', async () => {
      await start({ maxSessions: 2, retry: 1_000 })
      const first = await connect(host, 'alice')
      await connect(host, 'bob')
      for (let attempt = 0; attempt < 5; attempt += 1) {
        const { status, headers, blocks } = await request(host, as('carol'))
        assert.equal(status, 200)
        assert.equal(headers['content-type'], 'text/event-stream')
        const [{ data = '', event, id, retry = 0 } = {}, ...more] = blocks
        assert.deepEqual([event, id, more], ['comet.close', undefined, []])
        const { code, reconnect } = JSON.parse(data)
        assert.deepEqual([code, reconnect], ['UNAVAILABLE', true])
        assert.ok(retry >= 1_000 && retry <= 1_250, `retry ${retry}`)
      }
      first.destroy()
      await sessions(1)
      const carol = await connect(host, 'carol')
      assert.ok((carol.first.retry ?? 0) >= 750)
      assert.equal((await request(host, as('dave'))).blocks[0]?.event, 'comet.close')
    })

    it('maxRoomsPerSession: the URL is granted that many, and told which are refused', async () => {
      await start({ maxRoomsPerSession: 2 })
      for (const [path, rooms, refused] of [
        ['?rid=a', ['a'], []],
        ['?rid=a&rid=b', ['a', 'b'], []],
        ['?rid=a&rid=b&rid=a', ['a', 'b'], []],
        ['?rid=a&rid=b&rid=c&rid=d', ['a', 'b'], ['c', 'd']],
      ] as const) {
        const { ready, destroy } = await connect(host, 'alice', { path })
        destroy()
        assert.deepEqual([ready.rooms, ready.refused], [rooms, refused])
      }
    })

    it('maxRoomsPerSession: a JOIN too many gets 403, until a room was left', async () => {
      await start({ maxRoomsPerSession: 2 })
      const { sid } = await connect(host, 'alice', { path: '?rid=a' })
      const post = async (packet: object) => (await postPacket(host, 'alice', sid, packet)).status
      assert.equal(await post(join('b')), 204)
      assert.equal((await postPacket(host, 'alice', sid, join('c'))).json.error.code, 'TOO_MANY_ROOMS')
      assert.equal(await post(join('c')), 403)
      // One that it is in is none more.
      assert.equal(await post(join('a')), 204)
      assert.equal(await post({ type: 'LEAVE', leave: { rid: 'a' } }), 204)
      assert.equal(await post(join('c')), 204)
      assert.deepEqual(host.comet.dump().sessions[0]?.rooms, ['b', 'c'])
    })

    it('maxRoomsPerSession: 0 leaves clients no room at all', async () => {
      await start({ maxRoomsPerSession: 0 })
      const { status, json } = await request(host, as('alice', '?rid=a'))
      assert.deepEqual([status, json.error.code], [403, 'TOO_MANY_ROOMS'])
      assert.equal((await openStream(host, as('alice'))).status, 200)
    })
  })
}

describe('An EventSource that is one too many', () => {
  for (const adapter of http1Adapters) {
    it(`comes back by itself until there is room, behind ${adapter.name}`, async () => {
      const host = await adapter.host({ comet: { maxSessions: 1, retry: 1_000 } })
      const alice = await connect(host, 'alice')
      const client = openEventSource(`${host.url}?u=bob`)
      try {
        for (let attempt = 0; attempt < 2; attempt += 1) {
          assert.equal(JSON.parse((await client.next()).data).code, 'UNAVAILABLE')
        }
        alice.destroy()
        await client.next('comet.ready')
        await host.comet.publish({ uid: 'bob', evt: 'hi' })
        assert.equal((await client.next('message')).data, 'hi')
        assert.ok(client.statuses.every((status) => status === 200))
      } finally {
        client.close()
        await host.close()
      }
    })
  }
})
