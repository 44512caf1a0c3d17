import assert from 'node:assert/strict'
import { IncomingReader } from '../../adapters/nats/incoming.ts'
import { Outgoing } from '../../adapters/nats/outgoing.ts'
import { encodeEvent } from '../../adapters/nats/protobuf.ts'
import { Signer } from '../../adapters/nats/signature.ts'
import type { Envelope } from '../../lib/ports/broker.ts'
import { base64, CAPTURED, goPayload, HI, HI_JSON, SUBJECTS } from '../support/go-messages.ts'

const signer = new Signer('secret of the namespace')
const sender = { origin: 'n1.abc', server: 'comet-1' }

function makeReader() {
  const forged: string[] = []
  const reader = new IncomingReader(SUBJECTS, signer, (subject) => forged.push(subject))
  return { reader, forged }
}

/** Reads an Event of a Go service. */
function readEvent(payload: Uint8Array): Envelope | undefined {
  const { reader, forged } = makeReader()
  const incoming = reader.read(SUBJECTS.events, payload)
  assert.equal(incoming?.origin, undefined)
  assert.deepEqual(forged, [])
  return incoming?.envelope
}

const protobuf = (fields: Parameters<typeof encodeEvent>[0]) => goPayload({}, base64(encodeEvent(fields)))
const json = (text: string, type = 'application/json') => goPayload({ 'Content-Type': type }, base64(text))

/** What a Comet publishes: the parts of the payload of its first message. */
function published(envelope: Envelope, number = 7) {
  const [message] = new Outgoing(envelope, SUBJECTS, sender).messages(number, signer)
  assert.ok(message)
  const { Header, Body } = JSON.parse(message.payload) as { Header: Record<string, string>; Body: string }
  return { subject: message.subject, header: Header, body: Body }
}

describe('An Event of a Go service', () => {
  for (const [title, payload] of Object.entries(CAPTURED)) {
    it(`is read as it is: ${title}`, () => {
      assert.deepEqual(readEvent(payload), { to: { uids: ['u1'] }, data: 'hi' })
    })
  }

  it('is for its user, else for its room, else for the world', () => {
    const fields = { uid: 'u1', rid: 'r1', evt: 'x' }
    for (const [given, to] of [
      [{ uid: 'u1', rid: 'r1' }, { uids: ['u1'] }],
      [{ rid: 'r1' }, { rids: ['r1'] }],
      [{ uid: '', rid: '' }, {}],
      [{}, {}],
    ] as const) {
      assert.deepEqual(readEvent(protobuf({ ...given, evt: fields.evt })), { to, data: 'x' })
      assert.deepEqual(readEvent(json(JSON.stringify({ ...given, evt: fields.evt }))), { to, data: 'x' })
    }
  })

  it('may be empty: then it is the empty text for the world', () => {
    for (const payload of ['{}', '{"Header":{},"Body":""}', '{"Header":null,"Body":null}']) {
      assert.deepEqual(readEvent(Buffer.from(payload)), { to: {}, data: '' })
    }
    assert.deepEqual(readEvent(json('{}')), { to: {}, data: '' })
    assert.deepEqual(readEvent(json('{"uid":null,"rid":null,"evt":null}')), { to: {}, data: '' })
  })

  it('has fields in JSON that are found in another case, too, and may have unknown ones', () => {
    assert.deepEqual(readEvent(json('{"Uid":"u1","EVT":"x"}')), { to: { uids: ['u1'] }, data: 'x' })
    assert.deepEqual(readEvent(json('{"UID":"u2","uid":"u1","other":[{}],"evt":"x"}')), {
      to: { uids: ['u1'] },
      data: 'x',
    })
    assert.deepEqual(readEvent(json('{"__proto__":{"uid":"u1"},"evt":"x"}')), { to: {}, data: 'x' })
  })

  it('carries its text as it is, such as JSON with an integer that no double can hold', () => {
    const evt = '{"data":"\\u003cb\\u003e","time":1700000000123456789}'
    assert.equal(readEvent(protobuf({ evt }))?.data, evt)
    assert.equal(readEvent(json(JSON.stringify({ evt })))?.data, evt)
    assert.equal(readEvent(protobuf({ evt: '\ufeff\r\n\0\u2028' }))?.data, '\ufeff\r\n\0\u2028')
  })

  it('is refused with CR, LF or NUL in its uid or rid: they would be written into the stream', () => {
    for (const character of ['\r', '\n', '\0']) {
      for (const field of ['uid', 'rid']) {
        const fields = { [field]: `a${character}data: forged`, evt: 'x' }
        const error = { code: 'INVALID_ID', message: `Event.${field} must not contain CR, LF or NUL` }
        assert.throws(() => readEvent(protobuf(fields)), error)
        assert.throws(() => readEvent(json(JSON.stringify(fields))), error)
      }
    }
    // With a uid the rid is not read, so it cannot do any harm.
    assert.deepEqual(readEvent(protobuf({ uid: 'u1', rid: 'a\n', evt: 'x' }))?.to, { uids: ['u1'] })
  })

  it('is refused with an id that is no text, or of more than 1 MiB', () => {
    const message = 'Event.uid must not contain a lone surrogate'
    assert.throws(() => readEvent(json('{"uid":"a\\ud800"}')), { code: 'INVALID_ID', message })
    assert.throws(() => readEvent(protobuf({ uid: 'a'.repeat(1_048_577) })), { code: 'INVALID_ID' })
    assert.deepEqual(readEvent(protobuf({ uid: 'a'.repeat(1_048_576) }))?.to.uids?.[0]?.length, 1_048_576)
  })

  it('may have the Content-Type of text in JSON, or headers that are no texts, which Go services drop', () => {
    assert.deepEqual(readEvent(json(HI_JSON, 'application/json; charset=utf-8'))?.data, 'hi')
    assert.deepEqual(readEvent(goPayload({ a: 5, b: null, c: ['x'] }, base64(HI)))?.data, 'hi')
  })

  for (const [title, payload, message] of [
    ['no JSON', Buffer.from('hello'), 'The payload is not JSON.'],
    ['of another Content-Type', json('hi', 'text/plain'), 'The Content-Type is not known.'],
    ['url-safe base64', goPayload({}, 'n-_n'), 'Body must be padded base64.'],
    ['base64 without padding', goPayload({}, 'CgJ1MRoCaGk'), 'Body must be padded base64.'],
    ['cut off', goPayload({}, base64(HI.subarray(0, -1))), 'Event is cut off'],
    ['JSON in place of protobuf', goPayload({}, base64('{"uid":"u1"}')), 'Event is cut off'],
    ['protobuf in place of JSON', json(HI.toString()), 'The body is not JSON.'],
    ['JSON that is cut off', json('{"uid":"u1'), 'The body is not JSON.'],
    ['JSON that is no object', json('[]'), 'The body must be a JSON object.'],
    ['JSON null', json('null'), 'The body must be a JSON object.'],
    ['JSON of a text', json('"x"'), 'The body must be a JSON object.'],
    ['an empty body of JSON', json(''), 'The body is not JSON.'],
    ['a uid that is a number', json('{"uid":5}'), 'Event.uid must be a string, not a number'],
    ['an evt that is an object', json('{"evt":{}}'), 'Event.evt must be a string, not an object'],
  ] as const) {
    it(`is refused when it is ${title}`, () => {
      assert.throws(() => readEvent(payload), { name: 'CometError', message })
    })
  }

  it('is refused with an error when it is nested deeper than the stack', () => {
    const deep = `{"evt":${'['.repeat(300_000)}${']'.repeat(300_000)}}`
    assert.throws(() => readEvent(json(deep)), Error)
  })
})

describe('An event of a Comet', () => {
  const envelope = { to: { uids: ['u1', 'u2'] }, event: 'tick', data: 'x', transient: true }

  it('is read as it was published, with its sender and number', () => {
    const { subject, header, body } = published(envelope)
    const { reader, forged } = makeReader()
    assert.deepEqual(reader.read(subject, goPayload(header, body)), {
      envelope,
      origin: { node: 'n1.abc', number: 7 },
    })
    assert.deepEqual(forged, [])
  })

  it('is read with members in its header that a later version adds', () => {
    const text = '{"from":"n2","n":1,"later":[],"except":{"sids":["s1"]}}'
    const header = { 'Comet-Envelope': signer.sign('Comet-Envelope', SUBJECTS.events, text, base64(HI)) }
    assert.deepEqual(makeReader().reader.read(SUBJECTS.events, goPayload(header, base64(HI))), {
      envelope: { to: { uids: ['u1'] }, data: 'hi', except: { sids: ['s1'] } },
      origin: { node: 'n2', number: 1 },
    })
  })

  it('has more messages for Go services, which are passed over', () => {
    const { reader, forged } = makeReader()
    const [, second] = new Outgoing(envelope, SUBJECTS, sender).messages(7, signer)
    assert.ok(second)
    assert.equal(reader.read(second.subject, Buffer.from(second.payload)), undefined)
    assert.deepEqual(forged, [])
  })
})

describe('A header of Comet that no node has signed for this message', () => {
  const SECRET = 'hunter2'
  const { header, body } = published({ to: { uids: ['u1'] }, data: 'hi', except: { sids: ['s1'] } })
  const envelope = header['Comet-Envelope'] ?? ''
  const [, skipped] = new Outgoing({ to: { uids: ['u2', 'u1'] }, data: 'hi' }, SUBJECTS, sender).messages(
    7,
    signer,
  )
  const skip = JSON.parse(skipped?.payload ?? '').Header['Comet-Skip']
  const other = new Signer('secret of another namespace')

  for (const [title, headers, count = 1] of [
    ['is not signed', { 'Comet-Envelope': '{"from":"n1","n":7,"to":{}}' }],
    ['is empty', { 'Comet-Envelope': '' }],
    [
      'has a signature of another secret',
      { 'Comet-Envelope': other.sign('Comet-Envelope', SUBJECTS.events, '{}', body) },
    ],
    ['has the text changed', { 'Comet-Envelope': envelope.replace('s1', 's2') }],
    ['is there in another case', { 'comet-envelope': '{}' }],
    ['was a Comet-Skip', { 'Comet-Envelope': skip }],
    ['was a Comet-Envelope', { 'Comet-Skip': envelope }],
    ['is a Comet-Skip without a signature', { 'Comet-Skip': '{"n":7}' }],
    ['is there twice, as Comet-Envelope and Comet-Skip', { 'Comet-Envelope': 'x', 'Comet-Skip': 'y' }, 2],
  ] as const) {
    it(`is as if it were not there, and counted, when it ${title}`, () => {
      const { reader, forged } = makeReader()
      const incoming = reader.read(SUBJECTS.events, goPayload(headers, body))
      assert.deepEqual(incoming, { envelope: { to: { uids: ['u1'] }, data: 'hi' }, isForged: true })
      assert.deepEqual(forged, Array(count).fill(SUBJECTS.events))
    })
  }

  it('is so also with the body of another message', () => {
    const { reader, forged } = makeReader()
    const moved = goPayload(header, base64(encodeEvent({ rid: 'r1', evt: 'other' })))
    assert.deepEqual(reader.read(SUBJECTS.events, moved), {
      envelope: { to: { rids: ['r1'] }, data: 'other' },
      isForged: true,
    })
    assert.equal(forged.length, 1)
  })

  it('lets a message be refused on the subject of Comets, where Go services have nothing to say', () => {
    const { reader, forged } = makeReader()
    const error = { code: 'INVALID_FIELD', message: 'No node of this namespace has signed it.' }
    for (const headers of [{}, header, { 'Comet-Skip': skip }, { 'Comet-Envelope': SECRET }]) {
      assert.throws(() => reader.read(SUBJECTS.sessions, goPayload(headers, body)), error)
    }
    assert.deepEqual(forged, [SUBJECTS.sessions, SUBJECTS.sessions])
  })

  it('does not make an event for sessions one for the world', () => {
    const { reader, forged } = makeReader()
    const toSession = published({ to: { sids: ['s1'] }, data: 'for one' })
    const incoming = reader.read(SUBJECTS.events, goPayload(toSession.header, toSession.body))
    // Whoever may publish on the other subject may tell the world what it likes; but it is not Comet that tells it.
    assert.equal(incoming?.origin, undefined)
    assert.equal(forged.length, 1)
  })
})
