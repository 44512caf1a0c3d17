import assert from 'node:assert/strict'
import supertest from 'supertest'
import { CometError } from '../../lib/index.ts'
import { connect } from '../support/clients.ts'
import { adapters, type Host } from '../support/http.ts'
import { parsersOf } from '../support/parsers.ts'
import '../support/process-guard.ts'

const LIMIT = 65_536

/** A SEND that has so many bytes in all. */
function sized(bytes: number): string {
  const empty = JSON.stringify({ type: 'SEND', send: { evt: '' } })
  return JSON.stringify({ type: 'SEND', send: { evt: 'x'.repeat(bytes - empty.length) } })
}

const accepted: [title: string, packet: object][] = [
  ['HB', { type: 'HB' }],
  ['HB as a number', { type: 0 }],
  ['a packet without a type, which is HB', {}],
  ['JOIN', { type: 'JOIN', join: { rid: 'lobby' } }],
  ['JOIN as a number', { type: 2, join: { rid: 'lobby' } }],
  ['JOIN of no room, which leaves all', { type: 'JOIN', join: { rid: '' } }],
  ['LEAVE', { type: 'LEAVE', leave: { rid: 'lobby' } }],
  ['SEND without an answer', { type: 'SEND', send: { evt: 'hi' } }],
  ['fields that nobody knows', { type: 'HB', color: 'blue', join: 1 }],
]

const malformed: [title: string, packet: unknown][] = [
  ['an array', []],
  ['a type that nobody knows', { type: 'DANCE' }],
  ['a number that is no type', { type: 1 }],
  ['a type that is an object', { type: {} }],
  ['a type out of the prototype', { type: '__proto__' }],
  ['SEND without evt', { type: 'SEND', send: {} }],
  ['SEND without its body', { type: 'SEND' }],
  ['an evt that is no string', { type: 'SEND', send: { evt: { a: 1 } } }],
  ['an id that is no string', { type: 'SEND', send: { evt: 'hi', id: 1 } }],
  ['a rid that is no string', { type: 'JOIN', join: { rid: ['lobby'] } }],
  ['a rid with a line end', { type: 'JOIN', join: { rid: 'a\nb' } }],
  ['a rid with a lone surrogate', { type: 'JOIN', join: { rid: 'a\ud800' } }],
  ['a rid of more than 256 bytes', { type: 'JOIN', join: { rid: 'x'.repeat(257) } }],
  ['a body that is no object', { type: 'JOIN', join: 'lobby' }],
  ['JOIN without its body', { type: 'JOIN' }],
  ['LEAVE without a room', { type: 'LEAVE', leave: {} }],
]

const noJson: [title: string, body: string][] = [
  ['an object that does not end', '{"type":"HB"'],
  ['words', 'hello'],
  ['nothing', ''],
  ['null', 'null'],
  ['a string', '"HB"'],
  ['two values', '{"type":"HB"}{"type":"HB"}'],
]

for (const adapter of adapters) {
  for (const parser of parsersOf(adapter)) {
    describe(`A packet behind ${adapter.name} with ${parser.name}`, () => {
      let host: Host
      let sid: string

      before(async () => {
        host = await adapter.host({
          before: parser.before,
          comet: { canEnter: ({ rid }) => rid === 'lobby', onMessage, packetRate: 1_000 },
        })
        const alice = await connect(host, 'alice')
        sid = alice.sid
      })
      after(() => host.close())

      const post = (path = `/${sid}`, user = 'alice') =>
        supertest(host.origin, { http2: host.http2 })
          .post(`/comet${path}`)
          .set('x-user', user)
          .set('content-type', 'application/json')

      const refused = (response: supertest.Response, code: string) => {
        assert.match(response.headers['content-type'] ?? '', /^application\/json/)
        assert.deepEqual(Object.keys(response.body), ['error'])
        assert.equal(response.body.error.code, code)
        assert.ok(response.body.error.message)
      }

      for (const [title, packet] of accepted) {
        it(`is answered with 204 for ${title}`, async () => {
          const response = await post().send(packet)
          assert.deepEqual([response.status, response.text], [204, ''])
        })
      }

      it('is answered with 200 and what onMessage answered', async () => {
        const response = await post().send({ type: 'SEND', send: { evt: 'echo ü' } })
        assert.equal(response.status, 200)
        assert.match(response.headers['content-type'] ?? '', /^application\/json/)
        assert.deepEqual(response.body, { echo: 'echo ü' })
      })

      it('is answered with the status of the CometError that onMessage threw', async () => {
        const response = await post().send({ type: 'SEND', send: { evt: 'forbidden' } })
        assert.equal(response.status, 403)
        assert.deepEqual(response.body, { error: { code: 'FORBIDDEN', message: 'Not that.' } })
      })

      for (const [title, packet] of malformed) {
        it(`is answered with 400 for ${title}`, async () => {
          const response = await post().send(JSON.stringify(packet))
          assert.equal(response.status, 400)
          assert.match(response.body.error.code, /^INVALID_(FIELD|ID)$/)
        })
      }

      for (const [title, body] of noJson) {
        it(`is answered with 400 for ${title}`, async () => {
          const response = await post().send(body)
          assert.equal(response.status, 400)
        })
      }

      it('is answered with 401 when nobody is signed in', async () => {
        const response = await post(`/${sid}`, '').send({ type: 'HB' })
        assert.equal(response.status, 401)
        refused(response, 'UNAUTHENTICATED')
      })

      it("is answered with 403 for another user's session", async () => {
        const response = await post(`/${sid}`, 'mallory').send({ type: 'BYE' })
        assert.equal(response.status, 403)
        refused(response, 'NOT_YOUR_SESSION')
      })

      it('is answered with 403 for a room that is refused', async () => {
        const response = await post().send({ type: 'JOIN', join: { rid: 'vault' } })
        assert.equal(response.status, 403)
        refused(response, 'ROOM_REFUSED')
        assert.match(response.body.error.message, /"vault"/)
      })

      for (const owner of ['this node', 'no node']) {
        it(`is answered with 404 for a session that is not there, with a sid of ${owner}`, async () => {
          const node = owner === 'this node' ? host.comet.stats().node : 'AAAAAAAAAAA'
          const response = await post(`/${node}.AAAAAAAAAAAAAAAAAAAAAA`).send({ type: 'HB' })
          assert.equal(response.status, 404)
          refused(response, 'NO_SUCH_SESSION')
        })
      }

      it('is taken with as many bytes as the limit has, and answered with 413 for one more', async () => {
        const most = await post().send(sized(LIMIT))
        assert.equal(most.status, 204)
        const more = await post().send(sized(LIMIT + 1))
        assert.equal(more.status, 413)
        refused(more, 'PACKET_TOO_LARGE')
        assert.match(more.body.error.message, /65536.*maxPacketBytes/)
      })

      it('is measured in bytes, not in characters', async () => {
        const response = await post().send({ type: 'SEND', send: { evt: 'ü'.repeat(LIMIT / 2) } })
        assert.equal(response.status, 413)
      })

      for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/json-seq']) {
        it(`is answered with 415 for ${type}`, async () => {
          const response = await post().set('content-type', type).send('{"type":"HB"}')
          assert.equal(response.status, 415)
          refused(response, 'UNSUPPORTED_MEDIA_TYPE')
        })
      }

      for (const type of ['application/json; charset=utf-8', 'Application/JSON', 'application/json ;x=y']) {
        it(`is taken as ${type}`, async () => {
          const response = await post().set('content-type', type).send('{"type":"HB"}')
          assert.equal(response.status, 204)
        })
      }
    })
  }

  describe(`A session that sends too fast behind ${adapter.name}`, () => {
    it('is answered with 429 and Retry-After above twice its rate, and heard again later', async () => {
      const host = await adapter.host({ comet: { packetRate: 1 } })
      after(() => host.close())
      const alice = await connect(host, 'alice')
      const bob = await connect(host, 'bob')
      const post = (user: string, sid: string) =>
        supertest(host.origin, { http2: host.http2 })
          .post(`/comet/${sid}`)
          .set('x-user', user)
          .send({ type: 'HB' })
      let response = await post('alice', alice.sid)
      let taken = 0
      // On a slow machine the bucket fills a little meanwhile.
      for (; response.status === 204 && taken < 100; taken++) response = await post('alice', alice.sid)
      assert.ok(taken >= 2)
      assert.equal(response.status, 429)
      assert.equal(response.body.error.code, 'TOO_MANY_PACKETS')
      assert.equal(response.headers['retry-after'], '1')
      assert.equal((await post('bob', bob.sid)).status, 204)
      for (let i = 0; response.status === 429 && i < 50; i++) {
        await new Promise((resolve) => setTimeout(resolve, 100))
        response = await post('alice', alice.sid)
      }
      assert.equal(response.status, 204)
    })
  })
}

function onMessage({ evt }: { evt: string }): unknown {
  if (evt === 'forbidden') throw new CometError('FORBIDDEN', 'Not that.')
  return evt.startsWith('echo') ? { echo: evt } : undefined
}
