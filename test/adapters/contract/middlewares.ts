import assert from 'node:assert/strict'
import { type TestApp, untilSessions } from '../../support/apps.ts'
import { connect, postPacket, request, type Stream } from '../../support/clients.ts'
import { countWrites, deliver } from '../../support/deliveries.ts'
import { forcedCompression, usualMiddlewares } from '../../support/middlewares.ts'
import type { Contract } from './part.ts'

const gzip = { 'accept-encoding': 'gzip', origin: 'https://example.org' }

/** Each event arrives before the next one is published: nothing holds it back. */
async function deliversEach({ comet }: TestApp, stream: Stream): Promise<void> {
  for (const evt of ['one', 'two', 'three']) {
    await comet.publish({ uid: 'alice', evt })
    assert.equal((await stream.next('message')).data, evt)
  }
}

/** Streams and answers behind compression, security headers and CORS. */
export function middlewares({ adapter, start }: Contract): void {
  // The middlewares of Connect are made for HTTP/1.
  if (adapter.kind === 'node' && adapter.http2) return

  describe('Behind compression, helmet and cors', () => {
    it('a stream has their headers, is not compressed, delivers each event at once, and ends', async () => {
      const app = await start({ before: usualMiddlewares(adapter) })
      const leaves = await connect(app, 'bob', { headers: gzip })
      leaves.destroy()
      await untilSessions(app, 0)
      const writes = await countWrites(async () => {
        const stream = await connect(app, 'alice', { headers: gzip })
        const { headers } = stream
        assert.equal(headers['content-encoding'], undefined)
        assert.equal(headers['content-type'], 'text/event-stream')
        assert.equal(headers['cache-control'], 'no-cache, no-transform')
        assert.equal(headers['x-content-type-options'], 'nosniff')
        assert.ok(headers['access-control-allow-origin'])
        await deliversEach(app, stream)
        await deliver(app.comet, stream)
        await app.comet.close()
        assert.equal((await stream.next()).event, 'comet.close')
        assert.equal(await stream.ended, true)
      })
      // Past the response of HTTP/1, as without them.
      assert.equal(writes, 0)
    })

    it('answers and errors have their headers, so that other sites may read them, and cors answers preflights', async () => {
      const onMessage = ({ evt }: { evt: string }) => ({ echo: evt.repeat(1_000) })
      const app = await start({ before: usualMiddlewares(adapter), comet: { onMessage } })
      const { sid } = await connect(app, 'alice')
      const answer = await postPacket(app, 'alice', sid, { type: 'SEND', send: { evt: 'hi' } })
      assert.deepEqual([answer.status, answer.json], [200, { echo: 'hi'.repeat(1_000) }])
      assert.equal(answer.headers['x-content-type-options'], 'nosniff')
      const { status, headers, json } = await request(app, { headers: gzip })
      assert.deepEqual([status, json.error.code], [401, 'UNAUTHENTICATED'])
      assert.ok(headers['access-control-allow-origin'])
      const preflight = await request(app, {
        method: 'OPTIONS',
        path: `/${sid}`,
        headers: { origin: 'https://example.org', 'access-control-request-method': 'POST' },
      })
      assert.equal(preflight.status, 204)
      assert.match(preflight.headers['access-control-allow-methods'] ?? '', /POST/)
    })
  })

  describe('Behind a compression that takes every response', () => {
    it('a stream delivers each event at once, and Comet.close ends it', async () => {
      const app = await start({ before: forcedCompression(adapter) })
      const stream = await connect(app, 'alice', { headers: gzip })
      // Koa's compression does not see a response that Koa does not send.
      assert.equal(stream.headers['content-encoding'], adapter.kind === 'koa' ? undefined : 'gzip')
      await deliversEach(app, stream)
      await deliver(app.comet, stream)
      await app.comet.close()
      assert.equal((await stream.next()).event, 'comet.close')
      assert.equal(await stream.ended, true)
    })
  })
}
