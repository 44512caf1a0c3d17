import assert from 'node:assert/strict'
import { connect, postPacket, request } from '../support/clients.ts'
import { adapters, type Host } from '../support/http.ts'
import { forcedCompression, usualMiddlewares } from '../support/middlewares.ts'
import '../support/process-guard.ts'

const gzip = { 'accept-encoding': 'gzip', origin: 'https://example.org' }

// The middlewares of Connect are made for HTTP/1.
for (const adapter of adapters.filter(({ kind, http2 }) => !(kind === 'node' && http2))) {
  describe(`Behind compression, helmet and cors with ${adapter.name}`, () => {
    let host: Host

    before(async () => {
      host = await adapter.host({
        before: usualMiddlewares(adapter),
        comet: { onMessage: ({ evt }) => ({ echo: evt.repeat(1_000) }) },
      })
    })
    after(() => host.close())

    it('a stream is not compressed, has their headers, and events arrive one by one', async () => {
      const { headers, next, destroy } = await connect(host, 'alice', { headers: gzip })
      assert.equal(headers['content-encoding'], undefined)
      assert.equal(headers['content-type'], 'text/event-stream')
      assert.equal(headers['cache-control'], 'no-cache, no-transform')
      assert.equal(headers['x-content-type-options'], 'nosniff')
      assert.ok(headers['access-control-allow-origin'])
      for (const evt of ['one', 'two', 'three']) {
        await host.comet.publish({ uid: 'alice', evt })
        assert.equal((await next('message')).data, evt)
      }
      destroy()
    })

    it('a packet is answered, and the answer has their headers', async () => {
      const { sid, destroy } = await connect(host, 'alice')
      const { status, headers, json } = await postPacket(host, 'alice', sid, {
        type: 'SEND',
        send: { evt: 'hi' },
      })
      destroy()
      assert.deepEqual([status, json], [200, { echo: 'hi'.repeat(1_000) }])
      assert.equal(headers['x-content-type-options'], 'nosniff')
    })

    it('an error has their headers, so that a page of another origin may read it', async () => {
      const { status, headers, json } = await request(host, { headers: gzip })
      assert.deepEqual([status, json.error.code], [401, 'UNAUTHENTICATED'])
      assert.ok(headers['access-control-allow-origin'])
    })

    it('a preflight is answered by cors', async () => {
      const path = '/AAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA'
      const headers = { origin: 'https://example.org', 'access-control-request-method': 'POST' }
      const answer = await request(host, { method: 'OPTIONS', path, headers })
      assert.equal(answer.status, 204)
      assert.match(answer.headers['access-control-allow-methods'] ?? '', /POST/)
    })

    it('a client that leaves is noticed, and the Comet closes', async () => {
      const { ended } = await connect(host, 'alice', { headers: gzip })
      await host.comet.close()
      assert.equal(await ended, true)
    })
  })

  describe(`Behind a compression that takes every response with ${adapter.name}`, () => {
    it('events arrive one by one all the same', async () => {
      const host = await adapter.host({ before: forcedCompression(adapter) })
      after(() => host.close())
      const { headers, next, ended } = await connect(host, 'alice', { headers: gzip })
      // What Koa does not answer itself, its compression does not get to see.
      assert.equal(headers['content-encoding'], adapter.kind === 'koa' ? undefined : 'gzip')
      for (const evt of ['one', 'two', 'three']) {
        await host.comet.publish({ uid: 'alice', evt })
        assert.equal((await next('message')).data, evt)
      }
      await host.comet.close()
      assert.equal((await next()).event, 'comet.close')
      assert.equal(await ended, true)
    })
  })
}
