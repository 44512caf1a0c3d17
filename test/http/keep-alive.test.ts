import assert from 'node:assert/strict'
import { once } from 'node:events'
import http, { type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { CometOptions } from '../../lib/index.ts'
import { closeServer, nodeHttp, startApp, type TestApp, untilSessions } from '../support/apps.ts'
import { connect, head, openSocket, postPacket, type SocketClient } from '../support/clients.ts'
import { until, within } from '../support/inbox.ts'
import '../support/process-guard.ts'

const stream = (...lines: string[]) => head('GET /comet?u=alice HTTP/1.1', 'Host: x', ...lines)
const elsewhere = head('GET /elsewhere HTTP/1.1', 'Host: x')

describe('A connection over HTTP/1', () => {
  let app: TestApp
  let client: SocketClient

  const start = async (comet: CometOptions = {}) => {
    await app?.close()
    app = await startApp(nodeHttp, { comet: { offlineGrace: 0, ...comet } })
    client = await openSocket(app)
  }
  beforeEach(() => start())
  afterEach(async () => {
    client.destroy()
    await app.close()
    assert.deepEqual(app.errors, [])
  })

  for (const [what, request] of Object.entries({
    'an HTTP/1.1 request': stream(),
    'a request that says keep-alive': stream('Connection: keep-alive'),
    'a request that says close': stream('Connection: close'),
    'an HTTP/1.0 request': head('GET /comet?u=alice HTTP/1.0'),
    'an HTTP/1.0 request that says keep-alive': head('GET /comet?u=alice HTTP/1.0', 'Connection: keep-alive'),
  })) {
    it(`ends with the stream of ${what}, as the head of the stream says`, async () => {
      client.send(request)
      const response = await client.response()
      assert.equal(response.headers.connection, 'close')
      assert.equal(response.headers['keep-alive'], undefined)
      await response.next('comet.ready')
      await app.comet.disconnect({ uid: 'alice' })
      assert.equal((await response.next()).event, 'comet.close')
      await within(response.complete, 'the end of the stream')
      await within(client.closed, 'the end of the connection')
    })
  }

  it('is not used again by an agent that keeps connections, which never gets ECONNRESET', async () => {
    await start({ packetRate: 1_000 })
    const agent = new http.Agent({ keepAlive: true, maxSockets: 2 })
    const poster = await connect(app, 'poster')
    const send = (options: http.RequestOptions, body?: string) =>
      new Promise<http.IncomingMessage>((resolve, reject) => {
        http
          .request(app.origin, { agent, ...options }, resolve)
          .on('error', reject)
          .end(body)
      })
    const packet = {
      method: 'POST',
      path: `/comet/${poster.sid}`,
      headers: { 'x-user': 'poster', 'content-type': 'application/json' },
    }
    const statuses = new Set<number | undefined>()
    for (let i = 0; i < 200; i++) {
      const res = await send({ path: '/comet?u=alice' })
      res.resume()
      await untilSessions(app, 2)
      const ended = once(res, 'end')
      await app.comet.disconnect({ uid: 'alice' })
      await ended
      const answer = await send(packet, '{"type":"HB"}')
      answer.resume()
      statuses.add(answer.statusCode)
      await once(answer, 'end')
    }
    assert.deepEqual(Array.from(statuses), [204])
    agent.destroy()
  })

  it('serves on after the temporary answer, whose length is known', async () => {
    await start({ maxSessions: 1 })
    const first = await connect(app, 'first')
    for (let i = 0; i < 2; i++) {
      client.send(stream())
      const answer = await client.response()
      await within(answer.complete, 'the temporary answer')
      assert.deepEqual([answer.status, answer.headers.connection], [200, 'keep-alive'])
      assert.equal(answer.headers['content-type'], 'text/event-stream')
      assert.equal(Number(answer.headers['content-length']), Buffer.byteLength(answer.body))
      assert.equal(answer.headers['transfer-encoding'], undefined)
      assert.deepEqual(
        answer.blocks.map(({ event }) => event),
        ['comet.close'],
      )
    }
    client.send(elsewhere)
    assert.equal((await client.response()).status, nodeHttp.passed)
    first.destroy()
    await untilSessions(app, 0)
    client.send(stream())
    assert.equal((await (await client.response()).next()).event, 'comet.ready')
  })

  for (const [what, request] of Object.entries({
    'says close': stream('Connection: close'),
    'is one of HTTP/1.0': head('GET /comet?u=alice HTTP/1.0'),
  })) {
    it(`ends after the temporary answer to a request that ${what}`, async () => {
      await start({ maxSessions: 1 })
      await connect(app, 'first')
      client.send(request)
      const answer = await client.response()
      await within(answer.complete, 'the temporary answer')
      assert.equal(answer.headers.connection, 'close')
      assert.equal(answer.blocks.length, 1)
      await within(client.closed, 'the end of the connection')
    })
  }

  it('ends after the temporary answer of a Comet that closes, so that the server can close', async () => {
    await app.comet.close()
    client.send(stream())
    const answer = await client.response()
    await within(answer.complete, 'the temporary answer')
    assert.equal(answer.headers.connection, 'close')
    assert.equal(answer.blocks.length, 1)
    await within(client.closed, 'the end of the connection')
    await within(closeServer(app), 'closing the server')
  })

  it('keeps the timeout that the app gave it, after a temporary answer', async () => {
    await start({ maxSessions: 1 })
    await connect(app, 'first')
    for (const socket of app.sockets) socket.setTimeout(70_000)
    client.send(stream())
    await (await client.response()).complete
    assert.deepEqual(new Set(Array.from(app.sockets, ({ timeout }) => timeout)), new Set([70_000]))
  })

  it('has no timeout while it carries a stream', async () => {
    for (const socket of app.sockets) socket.setTimeout(70_000)
    client.send(stream())
    await (await client.response()).next('comet.ready')
    assert.deepEqual(
      Array.from(app.sockets, ({ timeout }) => timeout),
      [0],
    )
  })

  it('is kept for packets, whose answers say so', async () => {
    const { sid } = await connect(app, 'alice')
    const { headers } = await postPacket(app, 'alice', sid, { type: 'HB' })
    assert.equal(headers['content-length'], undefined)
    const lines = ['Host: x', 'X-User: alice', 'Content-Type: application/json', 'Content-Length: 13']
    for (let i = 0; i < 3; i++) {
      client.send(`${head(`POST /comet/${sid} HTTP/1.1`, ...lines)}{"type":"HB"}`)
      const answer = await client.response()
      assert.deepEqual([answer.status, answer.headers.connection], [204, 'keep-alive'])
    }
  })

  it('ends its session when the client ends its side only', async () => {
    client.send(stream())
    await (await client.response()).next('comet.ready')
    client.socket.end()
    await untilSessions(app, 0)
    await within(client.closed, 'the end of the connection')
  })

  it('keeps its session when the client ends its side only, and the server allows that', async () => {
    ;(app.server as http.Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true
    client.send(stream())
    const response = await client.response()
    await response.next('comet.ready')
    const [socket] = app.sockets
    const halfClosed = once(socket as Socket, 'end')
    client.socket.end()
    await halfClosed
    await app.comet.publish({ uid: 'alice', evt: 'hi' })
    assert.equal((await response.next('message')).data, 'hi')
    await app.comet.disconnect({ uid: 'alice' })
    await within(client.closed, 'the end of the connection')
  })

  it('ends its session when the client has ended its side and does not read what is on its way', async () => {
    await start({ writeTimeout: 200, maxBufferedBytes: 100_000_000 })
    client.send(stream())
    await (await client.response()).next('comet.ready')
    client.socket.pause()
    for (let i = 0; i < 20; i++) await app.comet.publish({ evt: 'x'.repeat(1_000_000) })
    client.socket.end()
    await untilSessions(app, 0)
    await until(() => app.sockets.size === 0, 'without connections')
  })

  it('ends its session when the server cuts all connections', async () => {
    client.send(stream())
    await (await client.response()).next('comet.ready')
    ;(app.server as http.Server).closeAllConnections()
    await untilSessions(app, 0)
  })

  it('is cut when the app has ended the stream, and the client does not read the rest', async () => {
    await start({ writeTimeout: 200, maxBufferedBytes: 100_000_000 })
    const response = new Promise<ServerResponse>((resolve) =>
      app.server.once('request', (_, res) => resolve(res)),
    )
    client.send(stream())
    await (await client.response()).next('comet.ready')
    client.socket.pause()
    for (let i = 0; i < 20; i++) await app.comet.publish({ evt: 'x'.repeat(1_000_000) })
    ;(await response).end()
    await untilSessions(app, 0)
  })
})
