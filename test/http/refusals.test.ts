import assert from 'node:assert/strict'
import { MemoryBroker, type Presence } from '../../lib/index.ts'
import { openStream, request, type Send } from '../support/clients.ts'
import { adapters, type Host, withHost } from '../support/http.ts'
import '../support/process-guard.ts'

const SID = 'AAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA'
const alice = { 'x-user': 'alice' }

interface Case {
  readonly title: string
  readonly send: Send
  readonly status: number
  readonly code: string
  readonly message?: RegExp
  readonly allow?: string
}

const cases: Case[] = [
  { title: 'a client that nobody knows', send: {}, status: 401, code: 'UNAUTHENTICATED' },
  {
    title: 'a client that accepts no event stream',
    send: { headers: { ...alice, accept: 'text/html, application/json' } },
    status: 406,
    code: 'NOT_ACCEPTABLE',
  },
  {
    title: 'a page of another site',
    send: { headers: { ...alice, 'sec-fetch-site': 'cross-site' } },
    status: 403,
    code: 'CROSS_SITE',
    message: /crossSite/,
  },
  {
    title: 'a packet from a page of another site',
    send: { method: 'POST', path: `/${SID}`, headers: { ...alice, 'sec-fetch-site': 'cross-site' } },
    status: 403,
    code: 'CROSS_SITE',
  },
  {
    title: 'a client that may enter none of the rooms it asks for',
    send: { path: '?rid=vault&rid=safe', headers: alice },
    status: 403,
    code: 'ROOM_REFUSED',
    message: /"vault", "safe"/,
  },
  ...['POST', 'PUT', 'DELETE', 'PATCH'].map((method) => ({
    title: `${method} on the stream`,
    send: { method, headers: alice },
    status: 405,
    code: 'METHOD_NOT_ALLOWED',
    allow: 'GET',
  })),
  ...['GET', 'PUT', 'DELETE'].map((method) => ({
    title: `${method} on a session`,
    send: { method, path: `/${SID}`, headers: alice },
    status: 405,
    code: 'METHOD_NOT_ALLOWED',
    allow: 'POST',
  })),
  ...['rid', 'clientId'].flatMap((name) =>
    [
      ['CR', 'a%0Db'],
      ['LF', 'a%0Ab'],
      ['NUL', 'a%00b'],
      ['more than 256 bytes', 'x'.repeat(257)],
      ['more than 256 bytes in UTF-8', '%C3%A4'.repeat(129)],
    ].map(([what, value]) => ({
      title: `a ${name} with ${what}`,
      send: { path: `?rid=lobby&${name}=${value}`, headers: alice },
      status: 400,
      code: 'INVALID_ID',
      message: new RegExp(name),
    })),
  ),
]

/** What is not ours. */
const passed: [title: string, send: Send][] = [
  ['OPTIONS on the stream', { method: 'OPTIONS' }],
  ['OPTIONS on a session', { method: 'OPTIONS', path: `/${SID}` }],
  ['a path below that is no session', { path: '/stats', headers: alice }],
  ['a POST to what cannot be a session', { method: 'POST', path: '/AAAA', headers: alice }],
  ['a session with more behind it', { method: 'POST', path: `/${SID}/more`, headers: alice }],
]

for (const adapter of adapters) {
  describe(`A request behind ${adapter.name}`, () => {
    let host: Host

    before(async () => {
      host = await adapter.host({ comet: { canEnter: ({ rid }) => rid === 'lobby' } })
    })
    after(() => host.close())

    for (const { title, send, status, code, message = /./, allow } of cases) {
      it(`is answered with ${status} for ${title}, and leaves nothing behind`, async () => {
        const answer = await request(host, send)
        assert.equal(answer.status, status)
        assert.deepEqual(Object.keys(answer.json), ['error'])
        assert.deepEqual(Object.keys(answer.json.error), ['code', 'message'])
        assert.equal(answer.json.error.code, code)
        assert.match(answer.json.error.message, message)
        assert.equal(answer.headers.allow, allow)
        assert.equal(answer.headers['cache-control'], 'no-store')
        assert.equal(host.comet.stats().connections, 0)
        assert.deepEqual([host.errors, host.failures], [[], []])
      })
    }

    it('is answered without a body for HEAD', async () => {
      const answer = await request(host, { method: 'HEAD', headers: alice })
      assert.deepEqual([answer.status, answer.headers.allow, answer.text], [405, 'GET', ''])
    })

    for (const [title, send] of passed) {
      it(`is left to the host for ${title}`, async () => {
        const answer = await request(host, send)
        assert.equal(answer.status, adapter.passed)
        assert.equal(answer.json, undefined)
      })
    }

    it('is refused a room with a message that names canEnter when that option is missing', async () => {
      const answer = await withHost(adapter, {}, (closed) =>
        request(closed, { path: '?rid=lobby', headers: alice }),
      )
      assert.equal(answer.status, 403)
      assert.match(answer.json.error.message, /no option canEnter/)
    })
  })

  describe(`A client that has to come back later, behind ${adapter.name}`, () => {
    const temporary = async (host: Host, send: Send = {}) => {
      const stream = await openStream(host, { ...send, headers: alice })
      assert.equal(stream.status, 200)
      assert.equal(stream.headers['content-type'], 'text/event-stream')
      const { event, data, retry = 0 } = await stream.next()
      assert.equal(event, 'comet.close')
      assert.equal(await stream.ended, true)
      assert.equal(stream.blocks.length, 1)
      return { ...JSON.parse(data), retry }
    }

    it('gets a stream that ends at once when the Comet was closed', async () => {
      await withHost(adapter, {}, async (host) => {
        await host.comet.close()
        const { code, reconnect, retry } = await temporary(host)
        assert.deepEqual([code, reconnect], ['SHUTTING_DOWN', true])
        assert.ok(retry >= 1_000)
      })
    })

    it('never gets a retry under one second, whatever the option retry says', async () => {
      await withHost(adapter, { comet: { retry: 1_000 } }, async (host) => {
        await host.comet.close()
        for (let i = 0; i < 12; i++) {
          const { retry } = await temporary(host)
          assert.ok(retry >= 1_000, `retry ${retry}`)
        }
      })
    })

    it('gets a stream that ends at once when presence cannot be reached', async () => {
      const broker = new MemoryBroker()
      const away = async () => {
        throw new Error('no presence')
      }
      const presence: Presence = {
        join: (node) => ({ ...broker.presence.join(node), connect: away, disconnect: away }),
      }
      await withHost(adapter, { comet: { broker, presence } }, async (host) => {
        const { code, retry } = await temporary(host)
        assert.equal(code, 'UNAVAILABLE')
        assert.ok(retry >= 1_000)
        assert.deepEqual(new Set(host.errors.map(String)), new Set(['Error: no presence']))
        assert.deepEqual([host.comet.stats().sessions, host.comet.stats().users], [0, 0])
        assert.deepEqual(host.failures, adapter.kind === 'node' ? host.errors : [])
      })
    })

    it('gets a stream that ends at once when canEnter fails for every room', async () => {
      const canEnter = () => {
        throw new Error('the database is away')
      }
      await withHost(adapter, { comet: { canEnter } }, async (host) => {
        const { code, retry } = await temporary(host, { path: '?rid=lobby' })
        assert.equal(code, 'UNAVAILABLE')
        assert.ok(retry >= 1_000)
        assert.deepEqual(host.errors.map(String), ['Error: the database is away'])
        assert.equal(host.comet.stats().connections, 0)
      })
    })
  })
}
