import assert from 'node:assert/strict'
import { closeServer, untilNoSockets } from '../../support/apps.ts'
import { connect, head, openSocket, postPacket, request, startStream } from '../../support/clients.ts'
import { Gate, until, within } from '../../support/inbox.ts'
import type { Contract } from './part.ts'

/** What keeps the process alive: the kind of each resource, sorted. */
function resources(): string[] {
  return process
    .getActiveResourcesInfo()
    .filter((name) => !/^(Timeout|Immediate)$/.test(name))
    .sort()
}

/** The end of the app. */
export function closing({ adapter, start }: Contract): void {
  describe('Comet.close', () => {
    it('tells every client to come back, ends its stream, and lets the server close', async () => {
      const app = await start()
      const streams = await Promise.all(['a', 'b', 'c'].map((user) => connect(app, user)))
      await app.comet.publish({ evt: 'last words' })
      await within(app.comet.close(), 'close')
      await within(closeServer(app), 'closing the server')
      for (const { next, ended } of streams) {
        assert.equal((await next()).data, 'last words')
        const { event, data } = await next()
        const { code, reconnect } = JSON.parse(data)
        assert.deepEqual([event, code, reconnect], ['comet.close', 'SHUTDOWN', true])
        assert.equal(await ended, true)
      }
      await untilNoSockets(app)
    })

    it('gives clients a stream that ends at once, also one that is still being admitted', async () => {
      const gate = new Gate()
      const app = await start({ comet: { canEnter: () => gate.pass().then(() => true) } })
      const headers = { 'x-user': 'alice' }
      const early = startStream(app, { path: '?rid=lobby', headers })
      await gate.arrival()
      await app.comet.close()
      gate.open()
      const late = startStream(app, { headers })
      for (const { opened } of [early, late]) {
        const stream = await opened
        assert.deepEqual([stream.status, stream.headers['content-type']], [200, 'text/event-stream'])
        const { event, data, retry = 0 } = await stream.next()
        assert.deepEqual([event, JSON.parse(data).code], ['comet.close', 'SHUTTING_DOWN'])
        assert.ok(retry >= 1_000)
        assert.equal(await stream.ended, true)
      }
      assert.equal(app.comet.stats().connections, 0)
    })

    it("makes packets get 404, and does not affect the app's other routes", async () => {
      const app = await start()
      const { sid } = await connect(app, 'alice')
      await app.comet.close()
      assert.equal((await postPacket(app, 'alice', sid, { type: 'HB' })).status, 404)
      const elsewhere = await request({ url: app.origin, http2: app.http2 }, { path: '/elsewhere' })
      assert.equal(elsewhere.status, adapter.passed)
    })

    it('leaves nothing that keeps the process alive, though the server was told to close before', async () => {
      const before = resources()
      const app = await start()
      const { sid } = await connect(app, 'alice')
      const leaves = await connect(app, 'bob')
      await postPacket(app, 'alice', sid, { type: 'HB' })
      leaves.destroy()
      const closed = closeServer(app)
      await app.comet.close()
      await within(closed, 'closing the server')
      await until(
        () => resources().length <= before.length,
        () => `rid of ${resources()}, but there were ${before}`,
      )
    })

    if (adapter.http2) return

    it('ends streams of clients that never end their side, or that have sent another request', async () => {
      const app = await start()
      const lingers = await openSocket(app, { lingers: true })
      const pipelines = await openSocket(app)
      lingers.send(head('GET /comet?u=a HTTP/1.1', 'Host: x'))
      pipelines.send(head('GET /comet?u=b HTTP/1.1', 'Host: x') + head('GET /comet?u=c HTTP/1.1', 'Host: x'))
      await until(() => app.comet.stats().sessions === 2, 'connected')
      const closed = closeServer(app)
      await within(app.comet.close({ drain: 1_000 }), 'close')
      await within(closed, 'closing the server')
      await (await lingers.response()).next('comet.close')
      lingers.destroy()
    })
  })
}
