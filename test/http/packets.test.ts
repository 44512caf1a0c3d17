import assert from 'node:assert/strict'
import supertest from 'supertest'
import { CometError } from '../../lib/index.ts'
import { nodeHttp, startApp, type TestApp } from '../support/apps.ts'
import { connect } from '../support/clients.ts'
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
  ['SEND when onMessage answers nothing', { type: 'SEND', send: { evt: 'hi' } }],
  ['a packet with unknown fields', { type: 'HB', color: 'blue', join: 1 }],
]

const malformed: [title: string, packet: unknown][] = [
  ['an array', []],
  ['an unknown type', { type: 'DANCE' }],
  ['a number that is no type', { type: 1 }],
  ['a type that is an object', { type: {} }],
  ['a type from the prototype', { type: '__proto__' }],
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

const noJson: [title: string, body: string, code: string][] = [
  ['an object that does not end', '{"type":"HB"', 'INVALID_JSON'],
  ['words', 'hello', 'INVALID_JSON'],
  ['nothing', '', 'INVALID_JSON'],
  ['null', 'null', 'INVALID_FIELD'],
  ['a string', '"HB"', 'INVALID_FIELD'],
  ['two values', '{"type":"HB"}{"type":"HB"}', 'INVALID_JSON'],
]

describe('POST packet', () => {
  let app: TestApp
  let sid: string

  before(async () => {
    app = await startApp(nodeHttp, {
      comet: { canEnter: ({ rid }) => rid === 'lobby', onMessage, packetRate: 1_000 },
    })
    sid = (await connect(app, 'alice')).sid
  })
  after(() => app.close())

  const post = (
    body: string | object,
    { path = `/${sid}`, user = 'alice', type = 'application/json' } = {},
  ) =>
    supertest(app.url)
      .post(path)
      .set({ 'x-user': user, 'content-type': type })
      .send(typeof body === 'string' ? body : JSON.stringify(body))

  const refused = ({ status, type, body }: supertest.Response, expected: number, code: string | RegExp) => {
    assert.equal(status, expected)
    assert.equal(type, 'application/json')
    assert.deepEqual(Object.keys(body), ['error'])
    assert.match(body.error.code, typeof code === 'string' ? new RegExp(`^${code}$`) : code)
    assert.ok(body.error.message)
  }

  for (const [title, packet] of accepted) {
    it(`answers 204 to ${title}`, async () => {
      const { status, text } = await post(packet)
      assert.deepEqual([status, text], [204, ''])
    })
  }

  it('answers 200 with what onMessage answered', async () => {
    const { status, type, body } = await post({ type: 'SEND', send: { evt: 'echo ü' } })
    assert.deepEqual([status, type, body], [200, 'application/json', { echo: 'echo ü' }])
  })

  it('answers with the status of the CometError that onMessage threw', async () => {
    const { status, body } = await post({ type: 'SEND', send: { evt: 'forbidden' } })
    assert.equal(status, 403)
    assert.deepEqual(body, { error: { code: 'FORBIDDEN', message: 'Not that.' } })
  })

  for (const [title, packet] of malformed) {
    it(`answers 400 to ${title}`, async () =>
      refused(await post(packet as object), 400, /^INVALID_(FIELD|ID)$/))
  }

  for (const [title, body, code] of noJson) {
    it(`answers 400 to a body that is ${title}`, async () => refused(await post(body), 400, code))
  }

  it('answers 401 when nobody is identified', async () => {
    refused(await post({ type: 'HB' }, { user: '' }), 401, 'UNAUTHENTICATED')
  })

  it("answers 403 for another user's session", async () => {
    refused(await post({ type: 'BYE' }, { user: 'mallory' }), 403, 'NOT_YOUR_SESSION')
  })

  it('answers 403 to a JOIN of a room that canEnter refuses', async () => {
    const answer = await post({ type: 'JOIN', join: { rid: 'vault' } })
    refused(answer, 403, 'ROOM_REFUSED')
    assert.match(answer.body.error.message, /"vault"/)
  })

  for (const owner of ['this node', 'an unknown node']) {
    it(`answers 404 for a session that does not exist, with a sid of ${owner}`, async () => {
      const node = owner === 'this node' ? app.comet.stats().node : 'AAAAAAAAAAA'
      const path = `/${node}.AAAAAAAAAAAAAAAAAAAAAA`
      refused(await post({ type: 'HB' }, { path }), 404, 'NO_SUCH_SESSION')
    })
  }

  it('takes as many bytes as the limit, and answers 413 to one more', async () => {
    assert.equal((await post(sized(LIMIT))).status, 204)
    const more = await post(sized(LIMIT + 1))
    refused(more, 413, 'PACKET_TOO_LARGE')
    assert.match(more.body.error.message, /65536.*maxPacketBytes/)
  })

  it('counts bytes, not characters', async () => {
    const answer = await post({ type: 'SEND', send: { evt: 'ü'.repeat(LIMIT / 2) } })
    refused(answer, 413, 'PACKET_TOO_LARGE')
  })

  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/json-seq']) {
    it(`answers 415 to ${type}`, async () => {
      refused(await post('{"type":"HB"}', { type }), 415, 'UNSUPPORTED_MEDIA_TYPE')
    })
  }

  for (const type of ['application/json; charset=utf-8', 'Application/JSON', 'application/json ;x=y']) {
    it(`takes ${type}`, async () => {
      assert.equal((await post('{"type":"HB"}', { type })).status, 204)
    })
  }
})

function onMessage({ evt }: { evt: string }): unknown {
  if (evt === 'forbidden') throw new CometError('FORBIDDEN', 'Not that.')
  return evt.startsWith('echo') ? { echo: evt } : undefined
}
