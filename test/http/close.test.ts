import assert from 'node:assert/strict'
import {
  closeServer,
  identifyByHeader,
  nodeHttp,
  startApp,
  type TestApp,
  untilSessions,
} from '../support/apps.ts'
import { connect, head, openSocket, postPacket, startStream } from '../support/clients.ts'
import { within } from '../support/inbox.ts'
import '../support/process-guard.ts'

const get = (user: string, ...lines: string[]) => head(`GET /comet?u=${user} HTTP/1.1`, 'Host: x', ...lines)

describe('Comet.close', () => {
  let app: TestApp

  beforeEach(async () => {
    app = await startApp(nodeHttp, {
      comet: {
        // The frames that wait for a slow reader must not close it before the test does.
        maxBufferedBytes: 100_000_000,
      },
      identify: async (req) => {
        // As a route of the app that never answers.
        if (req.headers['x-stuck']) await new Promise(() => {})
        return identifyByHeader(req)
      },
    })
  })
  afterEach(() => app.close())

  it('lets a server close that was told to close before', async () => {
    const { ended } = await connect(app, 'alice')
    const closed = closeServer(app)
    await app.comet.close()
    await within(closed, 'closing the server')
    assert.equal(await ended, true)
  })

  it('closes once, however often it is called', async () => {
    const stream = await connect(app, 'alice')
    const offline: string[] = []
    app.comet.on('offline', ({ uid }) => offline.push(uid))
    await Promise.all([app.comet.close(), app.comet.close({ drain: 1 })])
    await app.comet.close()
    assert.equal(await stream.ended, true)
    assert.deepEqual(offline, ['alice'])
    assert.equal(stream.blocks.filter(({ event }) => event === 'comet.close').length, 1)
  })

  it('makes packets get 404, and publish fail, from then on', async () => {
    const { sid } = await connect(app, 'alice')
    await app.comet.close()
    assert.equal((await postPacket(app, 'alice', sid, { type: 'HB' })).status, 404)
    await assert.rejects(app.comet.publish({ evt: 'hi' }), { code: 'SHUTTING_DOWN' })
  })

  it("does not affect the app's other routes", async () => {
    await app.comet.close()
    const client = startStream({ url: app.origin }, { path: '/elsewhere' })
    assert.equal((await client.opened).status, nodeHttp.passed)
    client.destroy()
  })

  it('lets the server close while a client never ends its side of the connection', async () => {
    const client = await openSocket(app, { lingers: true })
    client.send(get('alice'))
    const response = await client.response()
    await response.next('comet.ready')
    const closed = closeServer(app)
    await app.comet.close()
    await response.next('comet.close')
    await within(closed, 'closing the server')
    client.destroy()
  })

  describe('drain', () => {
    it('limits how long a client is waited for that does not read', async () => {
      const client = await openSocket(app)
      client.send(get('alice'))
      await (await client.response()).next('comet.ready')
      client.socket.pause()
      for (let i = 0; i < 20; i++) await app.comet.publish({ uid: 'alice', evt: 'x'.repeat(1_000_000) })
      assert.equal(app.comet.stats().sessions, 1)
      await within(app.comet.close({ drain: 100 }), 'close')
      await within(closeServer(app), 'closing the server')
      client.destroy()
    })

    it('is not spent on a request that stands behind a response that never comes', async () => {
      const client = await openSocket(app)
      const seen = new Promise((resolve) => app.server.once('request', resolve))
      client.send(get('a', 'X-Stuck: yes') + get('b'))
      await seen
      await within(app.comet.close({ drain: 60_000 }), 'close')
      client.destroy()
    })

    it('is not spent on a request that stands behind a stream', async () => {
      const client = await openSocket(app)
      client.send(get('a') + get('b'))
      await untilSessions(app, 1)
      await within(app.comet.close({ drain: 60_000 }), 'close')
      await within(client.closed, 'the end of the connection')
    })
  })
})
