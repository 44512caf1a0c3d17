import assert from 'node:assert/strict'
import { MemoryBroker, type Presence } from '../../lib/index.ts'
import { nodeHttp, startApp, type TestApp, withApp } from '../support/apps.ts'
import { connect, openStream, request, type Send } from '../support/clients.ts'
import { Gate } from '../support/inbox.ts'
import '../support/process-guard.ts'

const SID = 'AAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA'
const alice = { 'x-user': 'alice' }
const packet = { method: 'POST', path: `/${SID}` }

interface Refusal {
  readonly title: string
  readonly send: Send
  readonly status: number
  readonly code: string
  readonly message?: RegExp
  readonly allow?: string
}

const METHOD = { status: 405, code: 'METHOD_NOT_ALLOWED' }
const CROSS_SITE = { status: 403, code: 'CROSS_SITE' }

const ofStream: Refusal[] = [
  { title: 'a client that is not identified', send: {}, status: 401, code: 'UNAUTHENTICATED' },
  ...['text/html, application/json', 'text/event-stream;q=0', 'text/event-stream-foo'].map((accept) => ({
    title: `a client that accepts ${accept}`,
    send: { headers: { ...alice, accept } },
    status: 406,
    code: 'NOT_ACCEPTABLE',
  })),
  {
    title: 'a page of another site',
    send: { headers: { ...alice, 'sec-fetch-site': 'cross-site' } },
    ...CROSS_SITE,
    message: /crossSite/,
  },
  {
    title: 'a client that may enter none of its rooms',
    send: { path: '?rid=vault&rid=safe', headers: alice },
    status: 403,
    code: 'ROOM_REFUSED',
    message: /"vault", "safe"/,
  },
  ...['POST', 'PUT', 'DELETE', 'PATCH'].map((method) => ({
    title: `the method ${method}`,
    send: { method, headers: alice },
    ...METHOD,
    allow: 'GET',
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

const ofPacket: Refusal[] = [
  {
    title: 'a page of another site',
    send: { ...packet, headers: { ...alice, 'sec-fetch-site': 'cross-site' } },
    ...CROSS_SITE,
  },
  ...['GET', 'PUT', 'DELETE'].map((method) => ({
    title: `the method ${method}`,
    send: { ...packet, method, headers: alice },
    ...METHOD,
    allow: 'POST',
  })),
]

const notForComet: [title: string, send: Send][] = [
  ['OPTIONS of the stream', { method: 'OPTIONS' }],
  ['OPTIONS of a session', { method: 'OPTIONS', path: `/${SID}` }],
  ['a path below the mount that is no session', { path: '/stats', headers: alice }],
  ['a POST to what cannot be a session', { method: 'POST', path: '/AAAA', headers: alice }],
  ['a path below a session', { method: 'POST', path: `/${SID}/more`, headers: alice }],
]

describe('Refused requests', () => {
  let app: TestApp

  before(async () => {
    app = await startApp(nodeHttp, { comet: { canEnter: ({ rid }) => rid === 'lobby' } })
  })
  after(() => app.close())

  const refuses = async ({ send, status, code, message = /./, allow }: Refusal) => {
    const answer = await request(app, send)
    assert.equal(answer.status, status)
    assert.deepEqual(Object.keys(answer.json), ['error'])
    assert.deepEqual(Object.keys(answer.json.error), ['code', 'message'])
    assert.equal(answer.json.error.code, code)
    assert.match(answer.json.error.message, message)
    assert.equal(answer.headers.allow, allow)
    assert.equal(answer.headers['cache-control'], 'no-store')
    assert.equal(app.comet.stats().connections, 0)
    assert.deepEqual(app.errors, [])
  }

  describe('GET stream', () => {
    for (const refusal of ofStream) {
      it(`answers ${refusal.status} to ${refusal.title}, and leaves nothing behind`, () => refuses(refusal))
    }

    it('answers HEAD without a body', async () => {
      const answer = await request(app, { method: 'HEAD', headers: alice })
      assert.deepEqual([answer.status, answer.headers.allow, answer.text], [405, 'GET', ''])
    })

    it('names the option canEnter when a room is refused because it is missing', async () => {
      const send = { path: '?rid=lobby', headers: alice }
      const answer = await withApp(nodeHttp, {}, (closed) => request(closed, send))
      assert.equal(answer.status, 403)
      assert.match(answer.json.error.message, /no option canEnter/)
    })
  })

  describe('POST packet', () => {
    for (const refusal of ofPacket) {
      it(`answers ${refusal.status} to ${refusal.title}, and leaves nothing behind`, () => refuses(refusal))
    }
  })
})

describe('Requests that are not for Comet', () => {
  for (const [title, send] of notForComet) {
    it(`are left to the app: ${title}`, async () => {
      const answer = await withApp(nodeHttp, {}, (app) => request(app, send))
      assert.equal(answer.status, nodeHttp.passed)
      assert.equal(answer.json, undefined)
    })
  }
})

describe('GET stream that cannot be served now', () => {
  /** Gets the answer that lets an EventSource try again: a stream that ends at once. */
  const temporary = async (app: TestApp, send: Send = {}) => {
    const stream = await openStream(app, { ...send, headers: alice })
    assert.equal(stream.status, 200)
    assert.equal(stream.headers['content-type'], 'text/event-stream')
    const { event, data, retry = 0 } = await stream.next()
    assert.equal(event, 'comet.close')
    assert.equal(await stream.ended, true)
    assert.equal(stream.blocks.length, 1)
    return { ...JSON.parse(data), retry }
  }

  it('ends at once when the Comet is closed', async () => {
    await withApp(nodeHttp, {}, async (app) => {
      await app.comet.close()
      const { code, reconnect, retry } = await temporary(app)
      assert.deepEqual([code, reconnect], ['SHUTTING_DOWN', true])
      assert.ok(retry >= 1_000)
    })
  })

  it('never has a retry under one second, whatever the option retry says', async () => {
    await withApp(nodeHttp, { comet: { retry: 1_000 } }, async (app) => {
      await app.comet.close()
      for (let i = 0; i < 12; i++) {
        const { retry } = await temporary(app)
        assert.ok(retry >= 1_000, `retry ${retry}`)
      }
    })
  })

  it('ends at once when presence fails', async () => {
    const broker = new MemoryBroker()
    const away = async () => {
      throw new Error('no presence')
    }
    const presence: Presence = {
      join: (node) => ({ ...broker.presence.join(node), connect: away, disconnect: away }),
    }
    await withApp(nodeHttp, { comet: { broker, presence } }, async (app) => {
      const { code, retry } = await temporary(app)
      assert.equal(code, 'UNAVAILABLE')
      assert.ok(retry >= 1_000)
      assert.deepEqual(new Set(app.errors.map(String)), new Set(['Error: no presence']))
      assert.deepEqual([app.comet.stats().sessions, app.comet.stats().users], [0, 0])
    })
  })

  it('ends at once when canEnter fails for every room', async () => {
    const canEnter = () => {
      throw new Error('the database is away')
    }
    await withApp(nodeHttp, { comet: { canEnter } }, async (app) => {
      const { code, retry } = await temporary(app, { path: '?rid=lobby' })
      assert.equal(code, 'UNAVAILABLE')
      assert.ok(retry >= 1_000)
      assert.deepEqual(app.errors.map(String), ['Error: the database is away'])
      assert.equal(app.comet.stats().connections, 0)
    })
  })

  it('ends at once, with a retry ten times as long, for a user who opens streams too fast', async () => {
    await withApp(
      nodeHttp,
      { comet: { connectRate: 1, maxSessionsPerUser: 2, retry: 1_000 } },
      async (app) => {
        for (let count = 0; count < 4; count += 1) (await connect(app, 'alice')).destroy()
        const { code, retry } = await temporary(app)
        assert.equal(code, 'TOO_MANY_CONNECTS')
        assert.ok(retry >= 10_000 && retry <= 12_500, `retry ${retry}`)
        const bob = await connect(app, 'bob')
        bob.destroy()
      },
    )
  })

  it('is answered when the Comet closes while canEnter has not answered, so that the server can close', async () => {
    const gate = new Gate()
    const canEnter = async () => {
      await gate.pass()
      return true
    }
    await withApp(nodeHttp, { comet: { canEnter } }, async (app) => {
      const waiting = temporary(app, { path: '?rid=lobby' })
      await gate.arrival()
      await app.comet.close()
      assert.equal((await waiting).code, 'SHUTTING_DOWN')
    })
  })

  it('is answered for the oldest that waits for canEnter when the user opens one more', async () => {
    const gate = new Gate()
    const canEnter = async () => {
      await gate.pass()
      return true
    }
    await withApp(nodeHttp, { comet: { canEnter, maxSessionsPerUser: 1 } }, async (app) => {
      const waiting = temporary(app, { path: '?rid=lobby' })
      await gate.arrival()
      const next = openStream(app, { path: '?rid=lobby', headers: alice })
      assert.equal((await waiting).code, 'UNAVAILABLE')
      gate.open()
      const stream = await next
      assert.equal((await stream.next()).event, 'comet.ready')
      stream.destroy()
    })
  })
})
