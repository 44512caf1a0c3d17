import assert from 'node:assert/strict'
import type http from 'node:http'
import { constants } from 'node:http2'
import FakeTimers from '@sinonjs/fake-timers'
import { MemoryBroker } from '../../lib/index.ts'
import { nodeHttp, nodeHttp2, startApp, type TestApp, untilSessions } from '../support/apps.ts'
import { connect, head, openSocket, postPacket, type SocketClient } from '../support/clients.ts'
import { Http2Client } from '../support/http2-client.ts'
import { until, within } from '../support/inbox.ts'
import '../support/process-guard.ts'

type InstalledClock = ReturnType<typeof FakeTimers.install>

/** How long a body may take, and how long the rest of one that was refused, in milliseconds (docs/api.md). */
const BODY_MS = 30_000

/** A sid of the app's node that no session has. */
const unknownSid = (app: TestApp) => `${app.comet.stats().node}.AAAAAAAAAAAAAAAAAAAAAA`

const headOf = (path: string, user: string, ...lines: string[]) =>
  head(`POST ${path} HTTP/1.1`, 'Host: x', `X-User: ${user}`, 'Content-Type: application/json', ...lines)

describe('POST packet, a body that does not come', () => {
  let app: TestApp
  let clock: InstalledClock | undefined

  afterEach(async () => {
    clock?.uninstall()
    clock = undefined
    await app.close()
    assert.deepEqual(app.errors, [])
  })

  /** From here on time passes only when the test says so. */
  const stopTime = () => {
    clock = FakeTimers.install({ toFake: ['setTimeout', 'clearTimeout'] })
    return clock
  }

  /** Settles when as many timers run as there are bodies that are waited for. */
  const untilWaiting = async (running: InstalledClock, count = 1) => {
    while (running.countTimers() < count) await new Promise(setImmediate)
  }

  describe('over HTTP/1.1', () => {
    let client: SocketClient

    beforeEach(async () => {
      app = await startApp(nodeHttp)
      // Node.js would cut it by itself, but an app may switch that off.
      ;(app.server as http.Server).requestTimeout = 0
      client = await openSocket(app)
    })
    afterEach(() => client.destroy())

    it('gets 408 in time, and ends the connection, which the answer says', async () => {
      const { sid } = await connect(app, 'alice')
      const time = stopTime()
      client.send(`${headOf(`/comet/${sid}`, 'alice', 'Content-Length: 20')}{"type":`)
      await untilWaiting(time)
      await time.tickAsync(BODY_MS - 1)
      assert.equal(client.bytes(), '')
      await time.tickAsync(1)
      const answer = await client.response()
      assert.deepEqual([answer.status, answer.headers.connection], [408, 'close'])
      await answer.complete
      assert.equal(JSON.parse(answer.body).error.code, 'BODY_TIMEOUT')
      await within(client.closed, 'the end of the connection')
    })

    it('gets 413 when it was too large, and ends the connection when the rest does not come in time', async () => {
      const { sid } = await connect(app, 'alice')
      const time = stopTime()
      client.send(headOf(`/comet/${sid}`, 'alice', 'Transfer-Encoding: chunked'))
      client.send(`${(70_000).toString(16)}\r\n${' '.repeat(70_000)}\r\n`)
      assert.equal((await client.response()).status, 413)
      await untilWaiting(time)
      await time.tickAsync(BODY_MS)
      await within(client.closed, 'the end of the connection')
    })

    it('gets 404 at once for a session that does not exist, and 403 for one of another user', async () => {
      const { sid } = await connect(app, 'alice')
      for (const [path, status] of [
        [unknownSid(app), 404],
        [sid, 403],
      ] as const) {
        client.send(headOf(`/comet/${path}`, 'mallory', 'Content-Length: 13'))
        assert.equal((await client.response()).status, status)
        client.send('{"type":"HB"}')
      }
      assert.equal((await postPacket(app, 'alice', sid, { type: 'HB' })).status, 204)
    })

    it('leaves no timer behind when it came in time, or the client has gone', async () => {
      const { sid } = await connect(app, 'alice')
      const time = stopTime()
      client.send(`${headOf(`/comet/${sid}`, 'alice', 'Content-Length: 13')}{"type":`)
      await untilWaiting(time)
      client.send('"HB"}')
      assert.equal((await client.response()).status, 204)
      client.send(`${headOf(`/comet/${sid}`, 'alice', 'Content-Length: 13')}{"type":`)
      await untilWaiting(time)
      client.destroy()
      while (time.countTimers() > 0) await new Promise(setImmediate)
    })

    it('is asked for by 100 Continue, and gets 408 when it does not come', async () => {
      const { sid } = await connect(app, 'alice')
      const time = stopTime()
      client.send(headOf(`/comet/${sid}`, 'alice', 'Content-Length: 13', 'Expect: 100-continue'))
      while (!client.bytes().startsWith('HTTP/1.1 100')) await new Promise(setImmediate)
      await untilWaiting(time)
      await time.tickAsync(BODY_MS)
      assert.equal((await client.response()).status, 408)
    })
  })

  describe('over HTTP/2', () => {
    let client: Http2Client

    beforeEach(async () => {
      app = await startApp(nodeHttp2)
      client = new Http2Client(app)
    })
    afterEach(() => client.session.destroy())

    /** Begins a packet, and tells its status and how its stream ended. */
    const begin = (user: string, sid: string) => {
      const stream = client.begin(user, sid)
      const status = new Promise<number>((resolve) =>
        stream.once('response', (headers) => resolve(headers[':status'] ?? 0)),
      )
      const closed = new Promise<number>((resolve) => stream.once('close', () => resolve(stream.rstCode)))
      stream.on('error', () => {}).resume()
      return { stream, status, closed }
    }

    it('gets 408 in time, and its stream is closed when the rest does not come then', async () => {
      const { sid } = await client.open('alice')
      const time = stopTime()
      const { stream, status, closed } = begin('alice', sid)
      stream.write('{"type":')
      await untilWaiting(time)
      await time.tickAsync(BODY_MS)
      assert.equal(await status, 408)
      await untilWaiting(time)
      await time.tickAsync(BODY_MS)
      assert.equal(await closed, constants.NGHTTP2_CANCEL)
      time.uninstall()
      assert.equal(await client.post('alice', sid, { type: 'HB' }), '204 ')
      assert.equal(app.sockets.size, 1)
    })

    it('gets 404 at once for a session that does not exist, and 403 for one of another user', async () => {
      const { sid } = await client.open('alice')
      for (const [path, expected] of [
        [unknownSid(app), 404],
        [sid, 403],
      ] as const) {
        const { stream, status, closed } = begin('mallory', path)
        stream.write('{"type":')
        assert.equal(await within(status, 'the answer'), expected)
        // Nobody waits for the rest.
        assert.equal(await within(closed, 'the end of the stream'), constants.NGHTTP2_NO_ERROR)
      }
      assert.equal(await client.post('alice', sid, { type: 'HB' }), '204 ')
    })
  })
})

describe('POST packet, before its body is read', () => {
  const apps: TestApp[] = []
  const clients: SocketClient[] = []
  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy()
    for (const app of apps.splice(0)) await app.close()
  })

  const start = async (options: Parameters<typeof startApp>[1]) => {
    const app = await startApp(nodeHttp, options)
    apps.push(app)
    return app
  }
  const open = async (app: TestApp) => {
    const client = await openSocket(app)
    clients.push(client)
    return client
  }

  /** Sends a packet's head. @returns the status of the answer that comes before the body, if any */
  const earlyAnswer = async (app: TestApp, user: string, sid: string) => {
    const client = await open(app)
    client.send(headOf(`/comet/${sid}`, user, 'Content-Length: 13'))
    // Another client's packet is taken after it.
    const other = await connect(app, 'other')
    assert.equal((await postPacket(app, 'other', other.sid, { type: 'HB' })).status, 204)
    other.destroy()
    const early = client.bytes() === '' ? undefined : (await client.response()).status
    if (early === undefined) client.send('{"type":"HB"}')
    return { early, status: early ?? (await client.response()).status }
  }

  it('a session in grace is not taken for unknown', async () => {
    const app = await start({ comet: { offlineGrace: 60_000 } })
    const { sid, destroy } = await connect(app, 'alice')
    destroy()
    await untilSessions(app, 0)
    assert.equal((await earlyAnswer(app, 'alice', sid)).early, undefined)
  })

  it('a session on another node is not taken for unknown, also after a takeover', async () => {
    const broker = new MemoryBroker()
    const [a, b] = [await start({ comet: { broker } }), await start({ comet: { broker } })]
    const first = await connect(a, 'alice', { path: '?clientId=page' })
    assert.deepEqual(await earlyAnswer(b, 'alice', first.sid), { early: undefined, status: 204 })
    const second = await connect(b, 'alice', { path: '?clientId=page' })
    assert.equal(second.sid, first.sid)
    await until(() => a.comet.stats().sessions === 0, 'taken over')
    assert.deepEqual(await earlyAnswer(a, 'alice', second.sid), { early: undefined, status: 204 })
  })

  it("an anonymous client's session on another node is not taken for unknown", async () => {
    const broker = new MemoryBroker()
    const identify = () => ({ anonymous: true }) as const
    const [a, b] = [
      await start({ comet: { broker }, identify }),
      await start({ comet: { broker }, identify }),
    ]
    const { sid } = await connect(a, '')
    assert.deepEqual(await earlyAnswer(b, '', sid), { early: undefined, status: 204 })
    assert.deepEqual(await earlyAnswer(a, '', sid), { early: undefined, status: 204 })
  })

  it('a session is not taken for unknown while presence fails', async () => {
    const broker = new MemoryBroker()
    let fails = false
    const presence = {
      join: (node: Parameters<typeof broker.presence.join>[0]) => {
        const connection = broker.presence.join(node)
        const locate = connection.locate.bind(connection)
        connection.locate = async (sid) => {
          if (fails) throw new Error('presence is away')
          return await locate(sid)
        }
        return connection
      },
    }
    const app = await start({ comet: { broker, presence } })
    const { sid, destroy } = await connect(app, 'alice')
    destroy()
    await untilSessions(app, 0)
    fails = true
    assert.equal((await earlyAnswer(app, 'alice', sid)).early, undefined)
  })
})
