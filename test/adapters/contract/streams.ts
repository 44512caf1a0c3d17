import assert from 'node:assert/strict'
import type { Server } from 'node:http'
import { type TestApp, takeFailures, untilNoSockets } from '../../support/apps.ts'
import { connect, head, openEventSource, openSocket, request } from '../../support/clients.ts'
import { countWrites, deliver } from '../../support/deliveries.ts'
import { Http2Client } from '../../support/http2-client.ts'
import { until, within } from '../../support/inbox.ts'
import { receivedBy } from '../../support/received.ts'
import type { Contract } from './part.ts'

/** Opens a stream of alice that is not read. @returns closes its connection */
async function openPausedStream(app: TestApp): Promise<() => void> {
  if (app.http2) {
    const client = new Http2Client(app)
    const { stream } = await client.open('alice')
    stream.pause()
    return () => client.session.destroy()
  }
  const { socket, send, response } = await openSocket(app)
  send(head('GET /comet?u=alice HTTP/1.1', 'Host: x'))
  await (await response()).next('comet.ready')
  socket.pause()
  return () => socket.destroy()
}

/** Streams, from their head to their end. */
export function streams({ adapter, start }: Contract): void {
  describe('GET stream', () => {
    it('begins at once: headers that keep caches and compression away, then comet.ready', async () => {
      const app = await start({ comet: { canEnter: ({ rid }) => rid === 'lobby' } })
      const stream = await connect(app, 'alice', { path: '?rid=lobby&rid=vault' })
      const { status, headers, blocks, ready, first } = stream
      assert.equal(status, 200)
      assert.equal(headers['content-type'], 'text/event-stream')
      assert.equal(headers['cache-control'], 'no-cache, no-transform')
      assert.equal(headers['x-accel-buffering'], 'no')
      for (const name of ['content-length', 'content-encoding', 'etag'])
        assert.equal(headers[name], undefined)
      assert.equal(blocks[0]?.event, 'comet.ready')
      assert.ok(first.id && first.retry)
      const { sid, connection, ...rest } = ready
      assert.match(sid, /^[\w-]{11}\.[\w-]{22}$/)
      assert.equal(connection, sid)
      assert.deepEqual(rest, {
        version: 1,
        uid: 'alice',
        rooms: ['lobby'],
        refused: ['vault'],
        recovered: false,
        heartbeat: 15_000,
      })
    })

    it('delivers events of every kind, whole and in order, and past the response of HTTP/1', async () => {
      const app = await start()
      const writes = await countWrites(async () => deliver(app.comet, await connect(app, 'alice')))
      assert.equal(writes, 0)
    })

    it('brings what was missed since a position in Last-Event-ID or ?lastEventId=', async () => {
      const app = await start({ comet: { canEnter: () => true } })
      const first = await connect(app, 'alice', { path: '?rid=den' })
      await app.comet.publish({ uid: 'alice', evt: 'seen' })
      const { id: position = '' } = await first.next('message')
      first.destroy()
      await app.comet.publish({ uid: 'alice', evt: '1' })
      await app.comet.publish({ rid: 'den', evt: '2' })
      for (const send of [
        { path: '?rid=den', headers: { 'last-event-id': position } },
        { path: `?rid=den&lastEventId=${encodeURIComponent(position)}` },
      ]) {
        const back = await connect(app, 'alice', send)
        assert.deepEqual([back.first.id, back.ready.recovered], [position, true])
        assert.deepEqual(await receivedBy(app, back), ['1', '2'])
        back.destroy()
      }
      // EventSource sends UTF-8, which Node reads as Latin-1.
      const headers = { 'last-event-id': Buffer.from('ünï¢ødé €𝄞').toString('latin1') }
      const lost = await connect(app, 'alice', { headers })
      assert.equal(lost.ready.recovered, false)
      assert.equal((await lost.next()).event, 'comet.gap')
    })

    it('brings named events, to users, rooms and a session, live and after a reconnect', async () => {
      const app = await start({ comet: { canEnter: () => true, offlineGrace: 60_000 } })
      const seen: string[] = []
      app.comet.on('connect', ({ session, recovered }) => {
        seen.push(`connect ${session.rooms} ${recovered}`)
        void app.comet.publish({ sid: session.sid, event: 'snapshot', data: session.rooms })
      })
      app.comet.on('disconnect', ({ code }) => seen.push(`disconnect ${code}`))
      const path = '?rid=den&rid=attic&clientId=tab'
      const first = await connect(app, 'alice', { path })
      const { id: position = '' } = await first.next('snapshot')
      await app.comet.publish({ rid: ['attic', 'den'], event: 'chat', data: { text: 'é\n' } })
      assert.deepEqual(JSON.parse((await first.next('chat')).data), { text: 'é\n' })
      first.destroy()
      await until(() => app.comet.stats().sessions === 0, 'gone')
      await app.comet.publish({ sid: first.sid, event: 'own', data: null })
      await app.comet.publish({ uid: ['bob', 'alice'], event: 'bell', data: 1 })
      const back = await connect(app, 'alice', { path, headers: { 'last-event-id': position } })
      await back.next('snapshot')
      const names = back.blocks.filter(({ event }) => !event.startsWith('comet.')).map(({ event }) => event)
      assert.deepEqual(names, ['chat', 'own', 'bell', 'snapshot'])
      assert.equal(back.sid, first.sid)
      const labels = Array.from(back.text().matchAll(/^:\S+$/gm), ([label]) => label)
      assert.deepEqual(labels, [':rid=attic', ':sid', ':uid', ':sid'])
      assert.deepEqual(seen, ['connect den,attic false', 'disconnect GONE', 'connect den,attic true'])
    })

    it('brings the recent events of a user and its rooms to a new client', async () => {
      const app = await start({ comet: { canEnter: () => true } })
      await app.comet.publish({ uid: 'alice', event: 'bell', data: 1 })
      await app.comet.publish({ rid: 'den', event: 'chat', data: 'hi' })
      const position = await app.comet.position()
      await app.comet.publish({ uid: 'alice', event: 'bell', data: 2 })
      const stream = await connect(app, 'alice', { path: '?rid=den&recent=2' })
      const { id } = await stream.next('comet.heartbeat')
      const bells = stream.blocks.filter(({ event }) => event === 'bell').map(({ data }) => data)
      assert.deepEqual(bells, ['1', '2'])
      assert.equal(id, await app.comet.position())
      const rendered = await connect(app, 'alice', { path: `?rid=den&lastEventId=${position}` })
      assert.equal((await rendered.next('bell')).data, '2')
      assert.equal(rendered.blocks.filter(({ event }) => event === 'chat').length, 0)
    })

    it('has heartbeats', async () => {
      const app = await start({ comet: { heartbeatInterval: 20 } })
      const { next } = await connect(app, 'alice')
      for (let i = 0; i < 2; i++) assert.ok((await next('comet.heartbeat')).id)
    })

    it('outlives the idle timeout of the server', async () => {
      const app = await start({ comet: { heartbeatInterval: 0 } })
      ;(app.server as Server).setTimeout(50)
      const { next } = await connect(app, 'alice')
      // A connection that came later and is as silent.
      const idle = await openSocket(app)
      await within(idle.closed, 'the idle timeout')
      await app.comet.publish({ uid: 'alice', evt: 'hi' })
      assert.equal((await next('message')).data, 'hi')
    })

    it('is closed when its client reads nothing for the time of writeTimeout', async () => {
      // More than the kernel holds of a connection on either side.
      const maxEventBytes = 16_000_000
      const app = await start({ comet: { writeTimeout: 50, maxEventBytes, heartbeatInterval: 0 } })
      const stop = await openPausedStream(app)
      await app.comet.publish({ uid: 'alice', evt: 'x'.repeat(maxEventBytes) })
      await until(() => app.comet.stats().closes.SLOW === 1, 'closed')
      assert.equal(app.comet.stats().sessions, 0)
      stop()
      // Koa emits by itself that the connection was cut.
      await untilNoSockets(app)
      if (adapter.kind === 'koa') takeFailures(app)
    })

    it('ends with comet.close after Comet.disconnect, and the client that comes back gets 204', async () => {
      const app = await start()
      const { sid, next, ended } = await connect(app, 'alice')
      assert.equal(await app.comet.disconnect({ sid }, { reason: 'banned' }), 1)
      const { data, id = '' } = await next('comet.close')
      assert.deepEqual(JSON.parse(data), { code: 'DISCONNECTED', reason: 'banned', reconnect: false })
      assert.equal(await ended, true)
      const headers = { 'x-user': 'alice', 'last-event-id': id }
      const answer = await request(app, { headers })
      assert.deepEqual([answer.status, answer.text, answer.headers['content-type']], [204, '', undefined])
      assert.equal(answer.headers['cache-control'], 'no-store')
    })

    if (!adapter.http2) {
      it('is served to a client of HTTP/1.0 without Accept, until the connection ends', async () => {
        const app = await start()
        const client = await openSocket(app)
        client.send(head('GET /comet?u=alice HTTP/1.0', 'Host: x'))
        const response = await client.response()
        assert.equal(response.headers['transfer-encoding'], undefined)
        assert.equal((await response.next()).event, 'comet.ready')
        await deliver(app.comet, response)
        await app.comet.disconnect({ uid: 'alice' })
        await client.closed
        assert.ok(client.ended)
      })

      it('is understood by an EventSource', async () => {
        const app = await start()
        const client = openEventSource(`${app.url}?u=alice`, { events: ['chat'] })
        await client.next('comet.ready')
        await app.comet.publish({ uid: 'alice', evt: 'one,\ntwo' })
        assert.equal((await client.next('message')).data, 'one,\ntwo')
        await app.comet.publish({ uid: 'alice', event: 'chat', data: { text: 'hi' } })
        const { data, lastEventId } = await client.next('chat')
        assert.deepEqual([JSON.parse(data), lastEventId], [{ text: 'hi' }, await app.comet.position()])
        client.close()
      })
    }
  })
}
