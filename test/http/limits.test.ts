import assert from 'node:assert/strict'
import type { CometOptions } from '../../lib/index.ts'
import { nodeHttp, startApp, type TestApp, untilSessions } from '../support/apps.ts'
import { connect, openStream, postPacket, request } from '../support/clients.ts'
import '../support/process-guard.ts'

const join = (rid: string) => ({ type: 'JOIN', join: { rid } })
const as = (user: string, path = '') => ({ path, headers: { 'x-user': user } })

describe('Limits of sessions and rooms', () => {
  let app: TestApp

  const start = async (options: CometOptions) => {
    app = await startApp(nodeHttp, { comet: { canEnter: () => true, ...options } })
  }
  afterEach(() => app.close())

  describe('maxSessionsPerUser', () => {
    it('closes the oldest session of the user for good when there is one more, and no other', async () => {
      await start({ maxSessionsPerUser: 2 })
      const [first, second] = [await connect(app, 'alice'), await connect(app, 'alice')]
      const bob = await connect(app, 'bob')
      assert.equal(app.comet.stats().sessions, 3)
      const third = await connect(app, 'alice')
      const { data, id } = await first.next('comet.close')
      const { code, reconnect } = JSON.parse(data)
      assert.deepEqual([code, reconnect], ['EVICTED', false])
      assert.equal(await first.ended, true)
      const withToken = { 'x-user': 'alice', 'last-event-id': String(id) }
      assert.equal((await request(app, { headers: withToken })).status, 204)
      await app.comet.publish({ evt: 'hi' })
      for (const { next } of [second, third, bob]) assert.equal((await next()).data, 'hi')
      assert.equal(app.comet.stats().sessions, 3)
    })

    it('answers 429 to one more with onExcess: reject, until a session has ended', async () => {
      await start({ maxSessionsPerUser: 2, onExcess: 'reject' })
      const first = await connect(app, 'alice')
      const second = await connect(app, 'alice')
      for (let attempt = 0; attempt < 2; attempt += 1) {
        const { status, json } = await request(app, as('alice'))
        assert.deepEqual([status, json.error.code], [429, 'TOO_MANY_SESSIONS'])
      }
      await connect(app, 'bob')
      first.destroy()
      await untilSessions(app, 2)
      await connect(app, 'alice')
      assert.equal((await request(app, as('alice'))).status, 429)
      await app.comet.publish({ evt: 'hi' })
      assert.equal((await second.next()).data, 'hi')
    })
  })

  describe('maxSessions', () => {
    it('gives one more a stream that ends at once, to come back later', async () => {
      await start({ maxSessions: 2, retry: 1_000 })
      const first = await connect(app, 'alice')
      await connect(app, 'bob')
      for (let attempt = 0; attempt < 5; attempt += 1) {
        const { status, headers, blocks } = await request(app, as('carol'))
        assert.equal(status, 200)
        assert.equal(headers['content-type'], 'text/event-stream')
        const [{ data = '', event, id, retry = 0 } = {}, ...more] = blocks
        assert.deepEqual([event, id, more], ['comet.close', undefined, []])
        const { code, reconnect } = JSON.parse(data)
        assert.deepEqual([code, reconnect], ['UNAVAILABLE', true])
        assert.ok(retry >= 1_000 && retry <= 1_250, `retry ${retry}`)
      }
      first.destroy()
      await untilSessions(app, 1)
      const carol = await connect(app, 'carol')
      assert.ok((carol.first.retry ?? 0) >= 750)
      assert.equal((await request(app, as('dave'))).blocks[0]?.event, 'comet.close')
    })
  })

  describe('maxRoomsPerSession', () => {
    it('grants the URL as many rooms, and lists the others as refused', async () => {
      await start({ maxRoomsPerSession: 2 })
      for (const [path, rooms, refused] of [
        ['?rid=a', ['a'], []],
        ['?rid=a&rid=b', ['a', 'b'], []],
        ['?rid=a&rid=b&rid=a', ['a', 'b'], []],
        ['?rid=a&rid=b&rid=c&rid=d', ['a', 'b'], ['c', 'd']],
      ] as const) {
        const { ready, destroy } = await connect(app, 'alice', { path })
        destroy()
        assert.deepEqual([ready.rooms, ready.refused], [rooms, refused])
      }
    })

    it('answers 403 to a JOIN of one more, until a room was left', async () => {
      await start({ maxRoomsPerSession: 2 })
      const { sid } = await connect(app, 'alice', { path: '?rid=a' })
      const post = async (packet: object) => (await postPacket(app, 'alice', sid, packet)).status
      assert.equal(await post(join('b')), 204)
      assert.equal((await postPacket(app, 'alice', sid, join('c'))).json.error.code, 'TOO_MANY_ROOMS')
      assert.equal(await post(join('c')), 403)
      // A room that the session is in already is not one more.
      assert.equal(await post(join('a')), 204)
      assert.equal(await post({ type: 'LEAVE', leave: { rid: 'a' } }), 204)
      assert.equal(await post(join('c')), 204)
      assert.deepEqual(app.comet.dump().sessions[0]?.rooms, ['b', 'c'])
    })

    it('grants clients no room at all when it is 0', async () => {
      await start({ maxRoomsPerSession: 0 })
      const { status, json } = await request(app, as('alice', '?rid=a'))
      assert.deepEqual([status, json.error.code], [403, 'TOO_MANY_ROOMS'])
      assert.equal((await openStream(app, as('alice'))).status, 200)
    })
  })
})
