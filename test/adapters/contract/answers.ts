import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import { CometError } from '../../../lib/index.ts'
import type { TestApp } from '../../support/apps.ts'
import { connect, head, openSocket, postPacket, request, type Send } from '../../support/clients.ts'
import type { Contract } from './part.ts'

const alice = { 'x-user': 'alice' }
const asJson = { ...alice, 'content-type': 'application/json' }

/** The answers that are no streams. */
export function answers({ adapter, start }: Contract): void {
  /** Every error is answered in the same form, whatever the framework makes of errors. */
  const isRefused = async (app: TestApp, send: Send, status: number, code: string) => {
    const { headers, json, ...answer } = await request(app, send)
    assert.deepEqual([answer.status, json?.error?.code], [status, code])
    assert.deepEqual(Object.keys(json), ['error'])
    assert.deepEqual(Object.keys(json.error), ['code', 'message'])
    assert.equal(headers['content-type'], 'application/json; charset=utf-8')
    assert.equal(headers['cache-control'], 'no-store')
    return headers
  }

  /** A session that sends too many packets is told so. */
  const isLimited = async (post: Send) => {
    const clock = FakeTimers.install({ toFake: ['performance'] })
    try {
      const app = await start({ comet: { packetRate: 1 } })
      const { sid } = await connect(app, 'alice')
      const own = { ...post, path: `/${sid}` }
      for (let i = 0; i < 2; i++) assert.equal((await request(app, own)).status, 204)
      const headers = await isRefused(app, own, 429, 'TOO_MANY_PACKETS')
      assert.equal(headers['retry-after'], '1')
    } finally {
      clock.uninstall()
    }
  }

  describe('GET stream, refused', () => {
    it('is answered with a status and an error in JSON', async () => {
      const app = await start({
        comet: { canEnter: ({ rid }) => rid === 'lobby', maxSessionsPerUser: 1, onExcess: 'reject' },
      })
      const crossSite = { ...alice, 'sec-fetch-site': 'cross-site' }
      await isRefused(app, {}, 401, 'UNAUTHENTICATED')
      await isRefused(app, { headers: { ...alice, accept: 'text/html' } }, 406, 'NOT_ACCEPTABLE')
      await isRefused(app, { headers: crossSite }, 403, 'CROSS_SITE')
      await isRefused(app, { headers: alice, path: '?rid=vault' }, 403, 'ROOM_REFUSED')
      await isRefused(app, { headers: alice, path: '?rid=lobby&rid=a%0Ab' }, 400, 'INVALID_ID')
      assert.equal(app.comet.stats().connections, 0)
      await connect(app, 'alice')
      await isRefused(app, { headers: alice }, 429, 'TOO_MANY_SESSIONS')
      assert.equal(app.comet.stats().sessions, 1)
      const open = await start({ crossSite: true })
      assert.equal((await connect(open, 'alice', { headers: crossSite })).status, 200)
    })

    it('is answered with 405 and Allow for other methods, without a body for HEAD', async () => {
      const app = await start()
      for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
        const { allow } = await isRefused(app, { method, headers: alice }, 405, 'METHOD_NOT_ALLOWED')
        assert.equal(allow, 'GET')
      }
      const { status, headers, text } = await request(app, { method: 'HEAD', headers: alice })
      assert.deepEqual([status, headers.allow, text], [405, 'GET', ''])
    })
  })

  describe('POST packet', () => {
    it('is answered with 204, or with 200 and what onMessage answers', async () => {
      const app = await start({ comet: { onMessage: ({ evt }) => (evt ? { echo: evt } : undefined) } })
      const { sid } = await connect(app, 'alice')
      for (const packet of [{ type: 'HB' }, { type: 'SEND', send: { evt: '' } }]) {
        const { status, text, headers } = await postPacket(app, 'alice', sid, packet)
        assert.deepEqual([status, text, headers['content-type']], [204, '', undefined])
        assert.equal(headers['cache-control'], 'no-store')
      }
      const { status, json, headers } = await postPacket(app, 'alice', sid, {
        type: 'SEND',
        send: { evt: 'ü' },
      })
      assert.deepEqual([status, json], [200, { echo: 'ü' }])
      assert.equal(headers['content-type'], 'application/json; charset=utf-8')
      assert.equal(headers['cache-control'], 'no-store')
    })

    it('has its effects: rooms, their events, and the end of the stream', async () => {
      const app = await start({ comet: { canEnter: () => true } })
      const { sid, next, ended } = await connect(app, 'alice')
      const post = async (packet: object) => (await postPacket(app, 'alice', sid, packet)).status
      assert.equal(await post({ type: 'JOIN', join: { rid: 'lobby' } }), 204)
      await app.comet.publish({ rid: 'lobby', evt: 'in' })
      assert.equal((await next('message')).data, 'in')
      assert.equal(await post({ type: 'LEAVE', leave: { rid: 'lobby' } }), 204)
      assert.deepEqual(app.comet.dump().rooms, [])
      assert.equal(await post({ type: 'BYE' }), 204)
      assert.equal(JSON.parse((await next('comet.close')).data).code, 'BYE')
      assert.equal(await ended, true)
      assert.equal(await post({ type: 'HB' }), 404)
    })

    it('is answered with a status and an error in JSON when it is refused', async () => {
      const onMessage = () => {
        throw new CometError('FORBIDDEN', 'Not that.')
      }
      const app = await start({ comet: { onMessage, packetRate: 100 } })
      const { sid } = await connect(app, 'alice')
      const post = { method: 'POST', path: `/${sid}`, headers: asJson, body: '{"type":"HB"}' }
      const crossSite = { ...asJson, 'sec-fetch-site': 'cross-site' }
      const join = '{"type":"JOIN","join":{"rid":"vault"}}'
      const large = JSON.stringify({ type: 'SEND', send: { evt: 'x'.repeat(65_536) } })
      await isRefused(
        app,
        { ...post, headers: { 'content-type': 'application/json' } },
        401,
        'UNAUTHENTICATED',
      )
      await isRefused(app, { ...post, headers: crossSite }, 403, 'CROSS_SITE')
      await isRefused(app, { ...post, headers: { ...asJson, 'x-user': 'bob' } }, 403, 'NOT_YOUR_SESSION')
      await isRefused(app, { ...post, body: join }, 403, 'ROOM_REFUSED')
      await isRefused(app, { ...post, body: '{"type":"SEND","send":{"evt":"hi"}}' }, 403, 'FORBIDDEN')
      await isRefused(
        app,
        { ...post, path: `/${sid.split('.')[0]}.AAAAAAAAAAAAAAAAAAAAAA` },
        404,
        'NO_SUCH_SESSION',
      )
      await isRefused(app, { ...post, body: '{"type":"DANCE"}' }, 400, 'INVALID_FIELD')
      await isRefused(app, { ...post, body: '{"type":"HB"' }, 400, 'INVALID_JSON')
      await isRefused(app, { ...post, body: large }, 413, 'PACKET_TOO_LARGE')
      await isRefused(
        app,
        { ...post, headers: { ...alice, 'content-type': 'text/plain' } },
        415,
        'UNSUPPORTED_MEDIA_TYPE',
      )
      for (const method of ['GET', 'PUT', 'DELETE']) {
        const { allow } = await isRefused(
          app,
          { ...post, method, body: undefined },
          405,
          'METHOD_NOT_ALLOWED',
        )
        assert.equal(allow, 'POST')
      }
      await isLimited(post)
    })
  })

  if (adapter.http2) return

  it('keeps a connection in order for the next request, without more listeners, after every answer', async () => {
    const app = await start()
    const { sid } = await connect(app, 'alice')
    const client = await openSocket(app)
    const body = '{"type":"HB"}'
    const lines = ['X-User: alice', 'Content-Type: application/json', `Content-Length: ${body.length}`]
    const requests = [
      head('GET /comet HTTP/1.1', 'Host: x'),
      head('GET /comet?u=a&rid=lobby HTTP/1.1', 'Host: x'),
      head(`POST /comet/${sid} HTTP/1.1`, 'Host: x', ...lines) + body,
      head('GET /elsewhere HTTP/1.1', 'Host: x'),
    ]
    const exchange = async () => {
      const statuses: number[] = []
      for (const each of requests) {
        client.send(each)
        const response = await client.response()
        await response.complete
        statuses.push(response.status)
      }
      return statuses
    }
    const listeners = () =>
      Array.from(app.sockets, (socket) => socket.eventNames().map((name) => socket.listenerCount(name)))
    assert.deepEqual(await exchange(), [401, 403, 204, adapter.passed])
    const before = listeners()
    for (let i = 0; i < 10; i++) await exchange()
    assert.deepEqual(listeners(), before)
    client.destroy()
  })
}
