import assert from 'node:assert/strict'
import http2 from 'node:http2'
import { MemoryBroker } from '../../lib/index.ts'
import { connect, head, openSocket, postPacket, startStream } from '../support/clients.ts'
import { adapters, type Host, http1Adapters, identifyByHeader, untilNoSockets } from '../support/http.ts'
import { Gate, until, within } from '../support/inbox.ts'
import '../support/process-guard.ts'

/** Sooner than Node drops an idle connection by itself. */
const SOON_MS = 4_000

function closeServer({ server }: Host): Promise<void> {
  return new Promise((resolve, reject) => server.close((error) => (error ? reject(error) : resolve())))
}

for (const adapter of adapters) {
  describe(`Closing a Comet behind ${adapter.name}`, () => {
    let canEnter: Gate
    let host: Host

    beforeEach(async () => {
      canEnter = new Gate()
      host = await adapter.host({ comet: { canEnter: () => canEnter.pass().then(() => true) } })
    })
    afterEach(() => host.close())

    it('tells every client to come back, ends its stream, and lets the server close', async () => {
      const streams = await Promise.all(['a', 'b', 'c'].map((user) => connect(host, user)))
      await host.comet.publish({ evt: 'last words' })
      await within(host.comet.close(), 'close', SOON_MS)
      await within(closeServer(host), 'closing the server', SOON_MS)
      for (const { next, ended } of streams) {
        assert.equal((await next()).data, 'last words')
        const { event, data } = await next()
        const { code, reconnect } = JSON.parse(data)
        assert.deepEqual([event, code, reconnect], ['comet.close', 'SHUTDOWN', true])
        assert.equal(await ended, true)
      }
      await untilNoSockets(host)
    })

    it('lets a server close that was asked to before', async () => {
      const { ended } = await connect(host, 'alice')
      const closed = closeServer(host)
      await host.comet.close()
      await within(closed, 'closing the server', SOON_MS)
      assert.equal(await ended, true)
    })

    it('is done once, however often it is asked for', async () => {
      const stream = await connect(host, 'alice')
      const offline: string[] = []
      host.comet.on('offline', ({ uid }) => offline.push(uid))
      await Promise.all([host.comet.close(), host.comet.close({ drain: 1 })])
      await host.comet.close()
      assert.equal(await stream.ended, true)
      assert.deepEqual(offline, ['alice'])
      assert.equal(stream.blocks.filter(({ event }) => event === 'comet.close').length, 1)
    })

    it('sends a client away that is still being admitted', async () => {
      const client = startStream(host, { path: '?rid=lobby', headers: { 'x-user': 'alice' } })
      await canEnter.arrival()
      await host.comet.close()
      canEnter.open()
      const stream = await client.opened
      const { event, data, retry = 0 } = await stream.next()
      assert.deepEqual([event, JSON.parse(data).code], ['comet.close', 'SHUTTING_DOWN'])
      assert.ok(retry >= 1_000)
      assert.equal(await stream.ended, true)
      assert.equal(host.comet.stats().connections, 0)
    })

    it('answers packets with 404 and publishes with an error from then on', async () => {
      const { sid } = await connect(host, 'alice')
      await host.comet.close()
      assert.equal((await postPacket(host, 'alice', sid, { type: 'HB' })).status, 404)
      await assert.rejects(host.comet.publish({ evt: 'hi' }), { code: 'SHUTTING_DOWN' })
    })

    it('leaves the host and its other routes at work', async () => {
      await host.comet.close()
      const client = startStream({ url: host.origin, http2: host.http2 }, { path: '/elsewhere' })
      assert.equal((await client.opened).status, adapter.passed)
      client.destroy()
    })
  })

  describe(`A session that is closed before its stream has begun behind ${adapter.name}`, () => {
    it('is told in order: what it was owed, then the end', async () => {
      const broker = new MemoryBroker()
      const gate = new Gate()
      const presence = {
        join: (node: Parameters<typeof broker.presence.join>[0]) => {
          const link = broker.presence.join(node)
          const { connect } = link
          return Object.assign(link, {
            connect: (...args: Parameters<typeof connect>) => connect(...args).finally(() => gate.pass()),
          })
        },
      }
      const host = await adapter.host({ comet: { broker, presence } })
      after(() => host.close())
      const client = startStream(host, { headers: { 'x-user': 'alice' } })
      await gate.arrival()
      await host.comet.publish({ uid: 'alice', evt: 'owed' })
      await host.comet.disconnect({ uid: 'alice' }, { reason: 'banned' })
      const stream = await client.opened
      assert.equal(await stream.ended, true)
      gate.open()
      assert.deepEqual(
        stream.blocks.map(({ event }) => event),
        ['message', 'comet.close'],
      )
      assert.equal(host.comet.stats().sessions, 0)
    })
  })
}

for (const adapter of http1Adapters) {
  describe(`Closing a Comet behind ${adapter.name}`, () => {
    let host: Host

    beforeEach(async () => {
      host = await adapter.host({
        identify: async (req) => {
          // A route of the host that never answers.
          if (req.headers['x-stuck']) await new Promise(() => {})
          return identifyByHeader(req)
        },
      })
    })
    afterEach(() => host.close())

    const get = (user: string, ...lines: string[]) =>
      head(`GET /comet?u=${user} HTTP/1.1`, 'Host: x', ...lines)

    it('lets the server close while a client never ends its side of the connection', async () => {
      const client = await openSocket(host, { lingers: true })
      client.send(get('alice'))
      const response = await client.response()
      await response.next('comet.ready')
      const closed = closeServer(host)
      await host.comet.close()
      await response.next('comet.close')
      await within(closed, 'closing the server', SOON_MS)
      client.destroy()
    })

    it('is done within the drain time when a client does not read', async () => {
      const client = await openSocket(host)
      client.send(get('alice'))
      await (await client.response()).next('comet.ready')
      client.socket.pause()
      for (let i = 0; i < 40; i++) await host.comet.publish({ uid: 'alice', evt: 'x'.repeat(1_000_000) })
      await within(host.comet.close({ drain: 100 }), 'close', SOON_MS)
      await within(closeServer(host), 'closing the server', SOON_MS)
      client.destroy()
    })

    it('is done within the drain time when a stream waits behind a response that never comes', async () => {
      const client = await openSocket(host)
      client.send(get('a', 'X-Stuck: yes') + get('b'))
      await until(() => host.comet.stats().sessions === 1, 'connected')
      await within(host.comet.close({ drain: 100 }), 'close', SOON_MS)
      client.destroy()
    })

    it('ends streams that wait behind one another on a connection', async () => {
      const client = await openSocket(host)
      client.send(get('a') + get('b'))
      await until(() => host.comet.stats().sessions === 2, 'connected')
      await within(host.comet.close({ drain: 1_000 }), 'close', SOON_MS)
      await within(client.closed, 'the end of the connection', SOON_MS)
    })
  })
}

for (const adapter of adapters.filter((each) => each.http2)) {
  describe(`Closing a Comet behind ${adapter.name}`, () => {
    it('lets the server close while a client keeps its connection', async () => {
      const host = await adapter.host()
      const session = http2.connect(host.origin)
      after(async () => {
        session.destroy()
        await host.close()
      })
      const stream = session.request({ ':path': '/comet?u=alice' }).setEncoding('utf8')
      let text = ''
      stream.on('data', (piece) => {
        text += piece
      })
      await until(() => text.includes('comet.ready'), 'connected')
      await host.comet.close()
      await within(closeServer(host), 'closing the server', SOON_MS)
      await until(() => stream.readableEnded, 'told')
      assert.match(text, /event: comet.close/)
    })
  })
}
