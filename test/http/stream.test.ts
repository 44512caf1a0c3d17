import assert from 'node:assert/strict'
import type { Server } from 'node:http'
import { nodeHttp, startApp, type TestApp, withApp } from '../support/apps.ts'
import { connect, head, openSocket } from '../support/clients.ts'
import { within } from '../support/inbox.ts'
import '../support/process-guard.ts'

const allowed = ['lobby', 'a b', 'what?', 'ä&ö', 'x'.repeat(256)]

describe('GET stream', () => {
  let app: TestApp

  before(async () => {
    app = await startApp(nodeHttp, { comet: { canEnter: ({ rid }) => allowed.includes(rid) } })
  })
  after(() => app.close())

  it('has headers that keep caches, proxies and compression away', async () => {
    const { status, headers, destroy } = await connect(app, 'alice')
    destroy()
    assert.equal(status, 200)
    assert.equal(headers['content-type'], 'text/event-stream')
    assert.equal(headers['cache-control'], 'no-cache, no-transform')
    assert.equal(headers['x-accel-buffering'], 'no')
    for (const name of ['content-length', 'content-encoding', 'etag'])
      assert.equal(headers[name], undefined, name)
  })

  it('begins with comet.ready, with an id and a retry of about two seconds, before anything is published', async () => {
    const { blocks, ready, first, destroy } = await connect(app, 'alice')
    destroy()
    assert.equal(blocks[0]?.event, 'comet.ready')
    assert.ok(first.id)
    const { retry = 0 } = first
    assert.ok(retry >= 1_500 && retry <= 2_500, `retry ${retry}`)
    assert.match(ready.sid, /^[\w-]{11}\.[\w-]{22}$/)
    const { sid, connection, ...rest } = ready
    assert.equal(connection, sid)
    assert.deepEqual(rest, {
      version: 1,
      uid: 'alice',
      rooms: [],
      refused: [],
      recovered: false,
      heartbeat: 15_000,
    })
  })

  it('spreads the retry, so that clients do not reconnect together', async () => {
    const retries = new Set<number | undefined>()
    for (let i = 0; i < 10; i++) {
      const { first, destroy } = await connect(app, 'alice')
      destroy()
      retries.add(first.retry)
    }
    assert.ok(retries.size > 1)
  })

  it('carries the events of its user, its rooms and the world, each with an id', async () => {
    const alice = await connect(app, 'alice', { path: '?rid=lobby' })
    const bob = await connect(app, 'bob')
    await app.comet.publish({ uid: 'alice', evt: 'to alice' })
    await app.comet.publish({ rid: 'lobby', evt: 'to the lobby' })
    await app.comet.publish({ evt: 'to all,\nin two lines: ü' })
    const got = [await alice.next(), await alice.next(), await alice.next()]
    assert.deepEqual(
      got.map(({ event, data }) => [event, data]),
      [
        ['message', 'to alice'],
        ['message', 'to the lobby'],
        ['message', 'to all,\nin two lines: ü'],
      ],
    )
    assert.equal(new Set(got.map(({ id }) => id)).size, 3)
    assert.equal((await bob.next()).data, 'to all,\nin two lines: ü')
    alice.destroy()
    bob.destroy()
  })

  it('outlives the idle timeout of the server', async () => {
    await withApp(nodeHttp, {}, async (impatient) => {
      ;(impatient.server as Server).setTimeout(50)
      const { next } = await connect(impatient, 'alice')
      // A connection that came later and is as silent.
      const idle = await openSocket(impatient)
      await within(idle.closed, 'the idle timeout')
      await impatient.comet.publish({ uid: 'alice', evt: 'hi' })
      assert.equal((await next('message')).data, 'hi')
    })
  })

  it('is given to a client of HTTP/1.0, and ends with the connection', async () => {
    const client = await openSocket(app)
    client.send(head('GET /comet?u=alice HTTP/1.0', 'Host: x'))
    const response = await client.response()
    assert.equal(response.headers['transfer-encoding'], undefined)
    assert.equal((await response.next()).event, 'comet.ready')
    await app.comet.publish({ uid: 'alice', evt: 'hi' })
    assert.equal((await response.next()).data, 'hi')
    await app.comet.disconnect({ uid: 'alice' })
    await client.closed
    assert.ok(client.ended)
  })

  describe('at the mount', () => {
    for (const path of ['', '/', '?clientId=tab-1', '/?u=other']) {
      it(`is served as ${JSON.stringify(path)}`, async () => {
        const { ready, destroy } = await connect(app, 'alice', { path })
        destroy()
        assert.equal(ready.uid, 'alice')
      })
    }

    it('is served to a request that names scheme and host', async () => {
      for (const path of ['/comet?u=alice', '/comet/?u=alice']) {
        const client = await openSocket(app)
        client.send(head(`GET http://example.org${path} HTTP/1.1`, 'Host: example.org'))
        assert.equal((await client.response()).status, 200)
        client.destroy()
      }
    })
  })

  describe('?rid', () => {
    const roomsWith = async (path: string) => {
      const { ready, destroy } = await connect(app, 'alice', { path })
      destroy()
      return ready
    }

    it('puts the session in the rooms that it names, whatever characters they have', async () => {
      const query = allowed.map((rid) => `rid=${encodeURIComponent(rid)}`).join('&')
      assert.deepEqual((await roomsWith(`?${query}`)).rooms, allowed)
    })

    it('may contain a question mark', async () => {
      assert.deepEqual((await roomsWith('?rid=what?&rid=lobby')).rooms, ['what?', 'lobby'])
    })

    it('is ignored when it is empty, and counts once when it is repeated', async () => {
      assert.deepEqual((await roomsWith('?rid=&rid=lobby&rid=lobby')).rooms, ['lobby'])
    })

    it('is listed in comet.ready as refused when canEnter refuses it but not the others', async () => {
      const { rooms, refused } = await roomsWith('?rid=vault&rid=lobby&rid=safe')
      assert.deepEqual(rooms, ['lobby'])
      assert.deepEqual(refused, ['vault', 'safe'])
    })
  })

  describe('Accept', () => {
    for (const accept of [
      'text/event-stream',
      '*/*',
      'text/*',
      'text/html, */*;q=0.1',
      'TEXT/Event-Stream',
    ]) {
      it(`may be ${accept}`, async () => {
        const { status, destroy } = await connect(app, 'alice', { headers: { accept } })
        destroy()
        assert.equal(status, 200)
      })
    }

    it('may be missing', async () => {
      const client = await openSocket(app)
      client.send(head('GET /comet?u=alice HTTP/1.1', 'Host: x'))
      const response = await client.response()
      assert.equal(response.status, 200)
      assert.equal((await response.next()).event, 'comet.ready')
      client.destroy()
    })
  })

  describe('Sec-Fetch-Site', () => {
    for (const site of ['same-origin', 'same-site', 'none']) {
      it(`may be ${site}`, async () => {
        const { status, destroy } = await connect(app, 'alice', { headers: { 'sec-fetch-site': site } })
        destroy()
        assert.equal(status, 200)
      })
    }

    it('may be cross-site with the option crossSite', async () => {
      await withApp(nodeHttp, { crossSite: true }, async (open) => {
        const { status } = await connect(open, 'alice', { headers: { 'sec-fetch-site': 'cross-site' } })
        assert.equal(status, 200)
      })
    })
  })
})
