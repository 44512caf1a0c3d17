import assert from 'node:assert/strict'
import http2 from 'node:http2'
import { Duplex } from 'node:stream'
import type { CometOptions } from '../../lib/index.ts'
import { nodeHttp, nodeHttp2, startApp, type TestApp, untilSessions } from '../support/apps.ts'
import { eventParser } from '../support/event-parser.ts'
import { Inbox, within } from '../support/inbox.ts'
import '../support/process-guard.ts'
import { head, type SocketClient, speakOver } from '../support/socket-client.ts'

/** One end of a connection in memory: a Duplex without the methods of sockets. */
class End extends Duplex {
  peer: End | undefined
  /** Whether it takes no more of what its peer sends. */
  paused = false
  #taken: (() => void) | undefined

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const peer = this.peer as End
    if (peer.paused) {
      peer.#taken = () => this._write(chunk, _encoding, done)
      return
    }
    peer.push(chunk)
    // As a network does, later.
    setImmediate(done)
  }

  override _final(done: () => void): void {
    this.peer?.push(null)
    done()
  }

  override _read(): void {}

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.peer?.push(null)
    done(error)
  }

  goOn(): void {
    this.paused = false
    this.#taken?.()
    this.#taken = undefined
  }
}

function pair(): [End, End] {
  const [server, client] = [new End(), new End()]
  server.peer = client
  client.peer = server
  return [server, client]
}

describe('A connection that is a Duplex and no socket', () => {
  let app: TestApp
  const ends: End[] = []

  const start = async (adapter = nodeHttp, comet: CometOptions = {}) => {
    await app?.close()
    app = await startApp(adapter, { comet: { offlineGrace: 0, ...comet } })
  }

  /** Connects a client. */
  const open = () => {
    const [server, end] = pair()
    ends.push(server, end)
    app.server.emit('connection', server)
    return Object.assign(speakOver(end), { server })
  }

  /** Connects a client and opens a stream. */
  const openStream = async (user: string) => {
    const client = open()
    client.send(get(user))
    const stream = await client.response()
    const ready = await stream.next('comet.ready')
    return Object.assign(client, { stream, sid: JSON.parse(ready.data).sid as string })
  }

  const get = (user: string, path = '') => head(`GET /comet${path}?u=${user} HTTP/1.1`, 'Host: x')

  beforeEach(() => start())
  afterEach(async () => {
    for (const end of ends.splice(0)) end.destroy()
    await app.close()
    assert.deepEqual(app.errors, [])
  })

  it('carries a stream and its events, and ends with it', async () => {
    const { stream, closed } = await openStream('alice')
    assert.equal(stream.headers.connection, 'close')
    for (const evt of ['one', 'two', 'x'.repeat(300_000)]) {
      await app.comet.publish({ uid: 'alice', evt })
      assert.equal((await stream.next('message')).data, evt)
    }
    await app.comet.disconnect({ uid: 'alice' })
    await stream.next('comet.close')
    await within(stream.complete, 'the end of the stream')
    await within(closed, 'the end of the connection')
  })

  it('carries packets and refusals', async () => {
    const { sid } = await openStream('alice')
    const { send, response } = open()
    const lines = ['Host: x', 'X-User: alice', 'Content-Type: application/json', 'Content-Length: 13']
    send(`${head(`POST /comet/${sid} HTTP/1.1`, ...lines)}{"type":"HB"}`)
    assert.equal((await response()).status, 204)
    send(head('GET /comet HTTP/1.1', 'Host: x'))
    assert.equal((await response()).status, 401)
  })

  it('carries the temporary answer, and serves on', async () => {
    await start(nodeHttp, { maxSessions: 1 })
    await openStream('first')
    const { send, response } = open()
    send(get('alice'))
    await (await response()).next('comet.close')
    send(head('GET /elsewhere HTTP/1.1', 'Host: x'))
    assert.equal((await response()).status, nodeHttp.passed)
  })

  it('drops requests that stand behind a stream', async () => {
    const { send, response, destroy } = open()
    send(get('a') + get('b'))
    await (await response()).next('comet.ready')
    await untilSessions(app, 1)
    destroy()
    await untilSessions(app, 0)
    assert.equal(app.comet.stats().connections, 1)
  })

  const ENDS: Record<string, (client: SocketClient<End> & { readonly server: End }) => void> = {
    'is ended by the client': ({ socket }) => void socket.end(),
    'is destroyed by the client': ({ socket }) => void socket.destroy(),
    fails: ({ server }) => void server.destroy(new Error('the tunnel broke')),
  }

  for (const [how, end] of Object.entries(ENDS)) {
    it(`ends its session when it ${how}`, async () => {
      end(await openStream('alice'))
      await untilSessions(app, 0)
    })
  }

  it('ends a session whose client reads nothing for the write timeout', async () => {
    await start(nodeHttp, { writeTimeout: 50 })
    const { socket } = await openStream('alice')
    socket.paused = true
    await app.comet.publish({ evt: 'x'.repeat(100_000) })
    await untilSessions(app, 0)
    assert.equal(app.comet.stats().closes.SLOW, 1)
  })

  it('is told what waited when the client reads on', async () => {
    const { socket, stream } = await openStream('alice')
    socket.paused = true
    for (const evt of ['x'.repeat(100_000), 'last']) {
      await app.comet.publish({ evt })
      await new Promise(setImmediate)
    }
    socket.goOn()
    assert.equal((await stream.next('message')).data.length, 100_000)
    assert.equal((await stream.next('message')).data, 'last')
  })

  it('lets Comet.close end, though the client reads nothing', async () => {
    const { socket } = await openStream('alice')
    socket.paused = true
    await app.comet.publish({ evt: 'x'.repeat(100_000) })
    await within(app.comet.close({ drain: 50 }), 'close')
  })

  it('carries streams over HTTP/2', async () => {
    await start(nodeHttp2)
    const [server, end] = pair()
    ends.push(server, end)
    app.server.emit('connection', server)
    const session = http2.connect('http://x', { createConnection: () => end })
    const stream = session.request({ ':path': '/comet?u=alice' }).setEncoding('utf8')
    const inbox = new Inbox<{ event: string; data: string }>()
    stream.on(
      'data',
      eventParser((block) => inbox.push(block)),
    )
    stream.on('error', () => {})
    const next = (name: string) => inbox.next(({ event }) => event === name, name)
    await next('comet.ready')
    await app.comet.publish({ evt: 'hi' })
    assert.equal((await next('message')).data, 'hi')
    session.destroy()
    await untilSessions(app, 0)
  })
})
