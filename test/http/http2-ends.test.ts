import assert from 'node:assert/strict'
import http2, { constants, type ServerHttp2Session } from 'node:http2'
import type { Comet } from '../../lib/index.ts'
import { nodeHttp2, type Response, startApp, type TestApp, untilSessions } from '../support/apps.ts'
import { STAGES, startGatedApp } from '../support/departures.ts'
import { Http2Client, type Http2Stream } from '../support/http2-client.ts'
import { until, within } from '../support/inbox.ts'
import '../support/process-guard.ts'
import { sampled } from '../support/tier.ts'

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR, NGHTTP2_INTERNAL_ERROR } = constants

/** More than the window of a stream, so that the write cannot complete while the client does not read. */
const LARGE = 'x'.repeat(300_000)

/** The ways in which a client ends its stream, or its whole connection. */
const ENDS: Record<string, (client: Http2Client, stream: Http2Stream) => void> = {
  'RST_STREAM with NO_ERROR': (_, { stream }) => stream.close(NGHTTP2_NO_ERROR),
  'RST_STREAM with CANCEL': (_, { stream }) => stream.close(NGHTTP2_CANCEL),
  'the end of its connection': ({ session }) => session.destroy(),
  'GOAWAY with NO_ERROR, and RST_STREAM': ({ session }, { stream }) => {
    session.goaway(NGHTTP2_NO_ERROR)
    stream.close(NGHTTP2_NO_ERROR)
  },
  'GOAWAY with an error': ({ session }) => session.goaway(NGHTTP2_INTERNAL_ERROR),
}

const AMID_WRITE = 'amid a write that it does not read'

/** What the server does with the stream when the client ends it. */
const PHASES: Record<string, (comet: Comet, stream: Http2Stream) => Promise<void>> = {
  'with nothing on its way': async () => {},
  [AMID_WRITE]: async (comet, { stream }) => {
    stream.pause()
    await comet.publish({ evt: LARGE })
    await until(() => stream.readableLength > 0, 'written to')
  },
  'while more waits for a drain': async (comet, { stream }) => {
    stream.pause()
    for (let i = 0; i < 3; i++) {
      await comet.publish({ evt: LARGE })
      await new Promise(setImmediate)
    }
    await until(() => stream.readableLength > 0, 'written to')
  },
}

describe('A stream over HTTP/2', () => {
  let app: TestApp
  const clients: Http2Client[] = []
  const ended: string[] = []

  const newClient = () => {
    const client = new Http2Client(app)
    client.session.on('error', () => {})
    clients.push(client)
    return client
  }

  beforeEach(async () => {
    ended.length = 0
    app = await startApp(nodeHttp2, { comet: { offlineGrace: 0, maxBufferedBytes: 10_000_000 } })
    app.comet.on('offline', ({ uid }) => ended.push(uid))
    // What Node.js reports of a connection that a client has ended with an error.
    app.server.on('sessionError', () => {})
  })
  afterEach(async () => {
    for (const { session } of clients.splice(0)) session.destroy()
    await app.close()
    assert.deepEqual(app.errors, [])
  })

  for (const [phase, bring] of Object.entries(PHASES)) {
    for (const [how, end] of Object.entries(ENDS)) {
      it(`leaves no session when the client ends it by ${how}, ${phase}`, async () => {
        const users = 'abcdefghij'.slice(0, sampled(10, phase === AMID_WRITE ? 10 : 2)).split('')
        for (const user of users) {
          const client = newClient()
          const stream = await client.open(user)
          await bring(app.comet, stream)
          end(client, stream)
          await untilSessions(app, 0)
        }
        await until(() => ended.length >= users.length, 'offline')
        assert.deepEqual(ended, users)
      })
    }
  }

  for (const stage of STAGES) {
    it(`leaves no session when the client resets it with NO_ERROR before ${stage} has answered`, async () => {
      const gated = await startGatedApp((options) => startApp(nodeHttp2, options))
      await app.close()
      app = gated.app
      gated.openAll(stage)
      const stream = newClient().session.request({ ':path': '/comet?u=alice&rid=lobby' })
      await gated.gates[stage].arrival()
      const closed = new Promise((resolve) => stream.once('close', resolve))
      stream.close(NGHTTP2_NO_ERROR)
      await within(closed, 'the end of the stream')
      gated.gates[stage].open()
      // The connection serves on, after what the client has sent before.
      await newClient().open('bob')
      await until(async () => !(await app.comet.isOnline('alice')), 'offline')
      await untilSessions(app, 1)
    })
  }

  for (const code of [NGHTTP2_NO_ERROR, NGHTTP2_CANCEL]) {
    it(`closes its response, so that Node.js keeps nothing of it, when it is reset with ${code} amid a write`, async () => {
      const response = new Promise<Response>((resolve) =>
        app.server.once('request', (_, res) => resolve(res)),
      )
      const stream = await newClient().open('a')
      const closed = new Promise((resolve) => response.then((res) => res.once('close', resolve)))
      await PHASES[AMID_WRITE]?.(app.comet, stream)
      stream.stream.close(code)
      await within(closed, 'the close of the response')
    })
  }

  it('does not delay Comet.close when its client resets it after its end, amid what is still to be sent', async () => {
    const stream = await newClient().open('a')
    await PHASES[AMID_WRITE]?.(app.comet, stream)
    const closed = app.comet.close({ drain: 60_000 })
    stream.stream.close(NGHTTP2_NO_ERROR)
    await within(closed, 'close')
  })

  it('is ended with CANCEL when its client does not read the rest in time', async () => {
    const { stream } = await newClient().open('a')
    stream.pause()
    await app.comet.publish({ evt: LARGE })
    await until(() => stream.readableLength > 0, 'written to')
    const closed = new Promise((resolve) => stream.once('close', resolve))
    await app.comet.close({ drain: 100 })
    await within(closed, 'the end of the stream')
    assert.equal(stream.rstCode, NGHTTP2_CANCEL)
  })

  const APP_ENDS: Record<string, (res: Response) => void> = {
    'ends its response': (res) => void res.end(),
    'ends its response with more than the client reads': (res) => void res.end(LARGE),
    'destroys its response': (res) => void res.destroy(),
    'destroys its connection': (res) => (res as http2.Http2ServerResponse).stream.session?.destroy(),
  }

  for (const [how, end] of Object.entries(APP_ENDS)) {
    it(`leaves no session when the app ${how} and then the client resets it`, async () => {
      const response = new Promise<Response>((resolve) =>
        app.server.once('request', (_, res) => resolve(res)),
      )
      const { stream } = await newClient().open('a')
      stream.pause()
      end(await response)
      stream.close(NGHTTP2_NO_ERROR)
      // A session learns with its next event that the app has ended its response.
      await until(async () => {
        await app.comet.publish({ evt: 'hi' })
        return app.comet.stats().sessions === 0
      }, 'without sessions')
      assert.deepEqual(ended, ['a'])
    })
  }

  it('ends as SLOW when its client does not read it, though the client reads others on the connection', async () => {
    await app.close()
    app = await startApp(nodeHttp2, { comet: { writeTimeout: 200 } })
    const client = newClient()
    const [unread, read] = [await client.open('unread'), await client.open('read')]
    unread.stream.pause()
    await app.comet.publish({ uid: 'unread', evt: LARGE })
    await until(async () => {
      await app.comet.publish({ uid: 'read', evt: 'hi' })
      await read.next('message')
      return app.comet.stats().sessions === 1
    }, 'one session')
    assert.equal(app.comet.stats().closes.SLOW, 1)
  })

  it('goes on while its client reads a burst, though that takes longer than the write timeout', async () => {
    await app.close()
    app = await startApp(nodeHttp2, { comet: { writeTimeout: 500 } })
    const { stream } = await newClient().open('a')
    stream.pause()
    for (let i = 0; i < 40; i++) app.comet.publish({ uid: 'a', evt: LARGE }).catch(() => {})
    await until(() => stream.readableLength > 0, 'written to')
    const started = performance.now()
    while (performance.now() - started < 1_000) {
      stream.resume()
      await new Promise(setImmediate)
      stream.pause()
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    stream.resume()
    await app.comet.publish({ uid: 'a', evt: 'last' })
    assert.equal(app.comet.stats().sessions, 1)
  })

  it('leaves the connection to other streams and requests when it ends', async () => {
    const session = new Promise<ServerHttp2Session>((resolve) => app.server.once('session', resolve))
    const client = newClient()
    let goaways = 0
    client.session.on('goaway', () => {
      goaways += 1
    })
    const { sid } = await client.open('stays')
    for (let i = 0; i < 5; i++) {
      const goes = await client.open('goes')
      await app.comet.disconnect({ uid: 'goes' })
      await within(goes.ended, 'the end of the stream')
      assert.equal(await client.post('stays', sid, { type: 'HB' }), '204 ')
    }
    await app.comet.disconnect({ uid: 'stays' })
    await untilSessions(app, 0)
    const { sid: again } = await client.open('again')
    assert.equal(await client.post('again', again, { type: 'HB' }), '204 ')
    assert.deepEqual([goaways, app.sockets.size, (await session).closed], [0, 1, false])
  })

  it('ends with END_STREAM, not with a reset', async () => {
    const { stream, ended: end } = await newClient().open('a')
    const closed = new Promise((resolve) => stream.once('close', resolve))
    await app.comet.disconnect({ uid: 'a' })
    await within(end, 'END_STREAM')
    await within(closed, 'the end of the stream')
    assert.equal(stream.rstCode, NGHTTP2_NO_ERROR)
  })

  it('leaves a connection that Comet.close tells to take no more, whether a stream is open or was', async () => {
    const [idle, busy] = [newClient(), newClient()]
    const told = [idle, busy].map(({ session }) => new Promise((resolve) => session.once('goaway', resolve)))
    await idle.open('idle')
    await app.comet.disconnect({ uid: 'idle' })
    await untilSessions(app, 0)
    const streams = [await busy.open('a'), await busy.open('b')]
    const closed = new Promise((resolve) => app.server.close(resolve))
    assert.equal(app.sockets.size, 2)
    await app.comet.close()
    await within(closed, 'closing the server')
    for (const { ended: end } of streams) await within(end, 'END_STREAM')
    for (const code of told) assert.equal(await within(code, 'GOAWAY'), NGHTTP2_NO_ERROR)
  })

  it('lets the server close when all that a connection got was the temporary answer', async () => {
    await app.comet.close()
    const client = newClient()
    const stream = client.session.request({ ':path': '/comet?u=a' })
    stream.resume()
    await within(new Promise((resolve) => stream.once('end', resolve)), 'the temporary answer')
    await within(new Promise((resolve) => app.server.close(resolve)), 'closing the server')
  })

  it("gives the connection's timeout back when the last one has ended", async () => {
    app.server.on('session', (session: ServerHttp2Session) => session.setTimeout(70_000))
    const session = new Promise<ServerHttp2Session & { timeout?: number }>((resolve) =>
      app.server.once('session', resolve),
    )
    const client = newClient()
    await client.open('a')
    await client.open('b')
    const emitter = await session
    assert.equal(emitter.timeout, 0)
    await app.comet.disconnect({ uid: 'a' })
    await untilSessions(app, 1)
    assert.equal(emitter.timeout, 0)
    await app.comet.disconnect({ uid: 'b' })
    await until(() => emitter.timeout === 70_000, 'given back')
  })

  it('lets a connection without streams end by the timeout that the app gave it', async () => {
    app.server.prependListener('request', ({ stream }: http2.Http2ServerRequest) => {
      const { session } = stream
      session?.setTimeout(500, () => session.close())
    })
    await newClient().open('a')
    await app.comet.disconnect({ uid: 'a' })
    await until(() => app.sockets.size === 0, 'without connections')
  })
})
