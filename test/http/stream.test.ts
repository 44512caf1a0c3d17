import assert from 'node:assert/strict'
import type { Server } from 'node:http'
import { connect, head, openSocket } from '../support/clients.ts'
import { adapters, type Host, http1Adapters, withHost } from '../support/http.ts'
import '../support/process-guard.ts'

const allowed = ['lobby', 'a b', 'what?', 'ä&ö', 'x'.repeat(256)]

for (const adapter of adapters) {
  describe(`An accepted stream behind ${adapter.name}`, () => {
    let host: Host

    before(async () => {
      host = await adapter.host({ comet: { canEnter: ({ rid }) => allowed.includes(rid) } })
    })
    after(() => host.close())

    it('has the headers that keep caches, proxies and compression away', async () => {
      const { status, headers, destroy } = await connect(host, 'alice')
      destroy()
      assert.equal(status, 200)
      assert.equal(headers['content-type'], 'text/event-stream')
      assert.equal(headers['cache-control'], 'no-cache, no-transform')
      assert.equal(headers['x-accel-buffering'], 'no')
      for (const name of ['content-length', 'content-encoding', 'etag'])
        assert.equal(headers[name], undefined, name)
    })

    it('begins with comet.ready before anything was published, with an id and a retry of about two seconds', async () => {
      const { blocks, ready, first, destroy } = await connect(host, 'alice')
      destroy()
      assert.equal(blocks[0]?.event, 'comet.ready')
      assert.ok(first.id)
      assert.ok(
        first.retry !== undefined && first.retry >= 1_500 && first.retry <= 2_500,
        `retry ${first.retry}`,
      )
      assert.match(ready.sid, /^[\w-]{11}\.[\w-]{22}$/)
      assert.deepEqual(
        { ...ready, sid: '' },
        { sid: '', uid: 'alice', rooms: [], refused: [], recovered: false, heartbeat: 15_000 },
      )
    })

    it('spreads the retry, so that clients do not come back together', async () => {
      const retries = new Set<number | undefined>()
      for (let i = 0; i < 10; i++) {
        const { first, destroy } = await connect(host, 'alice')
        destroy()
        retries.add(first.retry)
      }
      assert.ok(retries.size > 1)
    })

    it('carries what is published to its user, its rooms and the world, each with an id', async () => {
      const alice = await connect(host, 'alice', { path: '?rid=lobby' })
      const bob = await connect(host, 'bob')
      await host.comet.publish({ uid: 'alice', evt: 'to alice' })
      await host.comet.publish({ rid: 'lobby', evt: 'to the lobby' })
      await host.comet.publish({ evt: 'to all,\nin two lines: ü' })
      const heard = []
      for (let i = 0; i < 3; i++) heard.push(await alice.next())
      assert.deepEqual(
        heard.map(({ event, data }) => [event, data]),
        [
          ['message', 'to alice'],
          ['message', 'to the lobby'],
          ['message', 'to all,\nin two lines: ü'],
        ],
      )
      assert.equal(new Set(heard.map(({ id }) => id)).size, 3)
      assert.equal((await bob.next()).data, 'to all,\nin two lines: ü')
      alice.destroy()
      bob.destroy()
    })

    it('is in the rooms that the URL names, whatever characters they have', async () => {
      const query = allowed.map((rid) => `rid=${encodeURIComponent(rid)}`).join('&')
      const { ready, destroy } = await connect(host, 'alice', { path: `?${query}` })
      destroy()
      assert.deepEqual(ready.rooms, allowed)
    })

    it('takes a question mark in the query for a part of it', async () => {
      const { ready, destroy } = await connect(host, 'alice', { path: '?rid=what?&rid=lobby' })
      destroy()
      assert.deepEqual(ready.rooms, ['what?', 'lobby'])
    })

    it('passes over an empty rid and names a room once that was asked for twice', async () => {
      const { ready, destroy } = await connect(host, 'alice', { path: '?rid=&rid=lobby&rid=lobby' })
      destroy()
      assert.deepEqual(ready.rooms, ['lobby'])
    })

    it('says which rooms were refused when others were not', async () => {
      const { ready, destroy } = await connect(host, 'alice', { path: '?rid=vault&rid=lobby&rid=safe' })
      destroy()
      assert.deepEqual(ready.rooms, ['lobby'])
      assert.deepEqual(ready.refused, ['vault', 'safe'])
    })

    for (const path of ['', '/', '?clientId=tab-1', '/?u=other']) {
      it(`is at the mount as ${JSON.stringify(path)}`, async () => {
        const { ready, destroy } = await connect(host, 'alice', { path })
        destroy()
        assert.equal(ready.uid, 'alice')
      })
    }

    for (const accept of ['text/event-stream', '*/*', 'text/html, */*;q=0.1', 'TEXT/Event-Stream']) {
      it(`is given to a client that accepts ${accept}`, async () => {
        const { status, destroy } = await connect(host, 'alice', { headers: { accept } })
        destroy()
        assert.equal(status, 200)
      })
    }

    for (const site of ['same-origin', 'same-site', 'none']) {
      it(`is given to a page for which the browser says ${site}`, async () => {
        const { status, destroy } = await connect(host, 'alice', { headers: { 'sec-fetch-site': site } })
        destroy()
        assert.equal(status, 200)
      })
    }

    it('is given to pages of other sites with crossSite: true', async () => {
      const open = await adapter.host({ crossSite: true })
      const { status, destroy } = await connect(open, 'alice', {
        headers: { 'sec-fetch-site': 'cross-site' },
      })
      destroy()
      await open.close()
      assert.equal(status, 200)
    })

    it('outlives the idle timeout of the server', async () => {
      await withHost(adapter, {}, async (patient) => {
        ;(patient.server as Server).setTimeout(50)
        const { next, ended } = await connect(patient, 'alice')
        const first = await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 200, 'open'))])
        assert.equal(first, 'open')
        await patient.comet.publish({ uid: 'alice', evt: 'hi' })
        assert.equal((await next('message')).data, 'hi')
      })
    })
  })
}

for (const adapter of http1Adapters) {
  describe(`An accepted stream behind ${adapter.name}`, () => {
    let host: Host

    before(async () => {
      host = await adapter.host()
    })
    after(() => host.close())

    it('is given to a client without an Accept header', async () => {
      const client = await openSocket(host)
      client.send(head('GET /comet?u=alice HTTP/1.1', 'Host: x'))
      const response = await client.response()
      assert.equal(response.status, 200)
      assert.equal((await response.next()).event, 'comet.ready')
      client.destroy()
    })

    it('is given to a client that names scheme and host in the request line', async () => {
      for (const path of ['/comet?u=alice', '/comet/?u=alice']) {
        const client = await openSocket(host)
        client.send(head(`GET http://example.org${path} HTTP/1.1`, 'Host: example.org'))
        assert.equal((await client.response()).status, 200)
        client.destroy()
      }
    })

    it('is given to a client of HTTP/1.0, to the end of the connection', async () => {
      const client = await openSocket(host)
      client.send(head('GET /comet?u=alice HTTP/1.0', 'Host: x'))
      const response = await client.response()
      assert.equal(response.headers['transfer-encoding'], undefined)
      assert.equal((await response.next()).event, 'comet.ready')
      await host.comet.publish({ uid: 'alice', evt: 'hi' })
      assert.equal((await response.next()).data, 'hi')
      await host.comet.disconnect({ uid: 'alice' })
      await client.closed
      assert.ok(client.ended)
    })
  })
}
