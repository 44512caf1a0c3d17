import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type Event, parseEvent, stringifyEvent } from '../../../lib/index.ts'
import { anyText } from '../../support/arbitraries.ts'

describe('parseEvent and stringifyEvent', () => {
  it('write the JSON that Go writes: fields in order, empty ones left out', () => {
    assert.equal(stringifyEvent({ uid: 'u1', evt: 'hi' }), '{"uid":"u1","evt":"hi"}')
    assert.equal(stringifyEvent({ evt: '<hi>', rid: 'r1' }), '{"rid":"r1","evt":"\\u003chi\\u003e"}')
    assert.equal(stringifyEvent({ evt: '' }), '{}')
  })

  it('read an empty uid or rid as absent, because proto3 knows no absence', () => {
    for (const text of ['{"evt":"hi"}', '{"uid":"","rid":"","evt":"hi"}', '{"uid":null,"evt":"hi"}']) {
      assert.deepEqual(parseEvent(text), { evt: 'hi' })
    }
    assert.deepEqual(parseEvent('{"uid":"u1","rid":"","evt":"hi"}'), { uid: 'u1', evt: 'hi' })
    assert.deepEqual(parseEvent('{"uid":"","rid":"r1","evt":"hi"}'), { rid: 'r1', evt: 'hi' })
    assert.deepEqual(parseEvent('{"uid":"u1","rid":"r1"}'), { uid: 'u1', rid: 'r1', evt: '' })
  })

  it('round-trip any text except lone surrogates', () => {
    fc.assert(
      fc.property(anyText, anyText, anyText, (uid, rid, evt) => {
        const read = parseEvent(stringifyEvent({ uid, rid, evt }))
        const wanted = { uid: uid.toWellFormed(), rid: rid.toWellFormed(), evt: evt.toWellFormed() }
        assert.deepEqual({ uid: '', rid: '', ...read }, wanted)
      }),
    )
  })

  it('carry a stringified Message unchanged', () => {
    const evt = '{"event":"demo","data":"\\u003cb\\u003e","time":1700000000123456789}'
    assert.equal(parseEvent(stringifyEvent({ uid: 'u1', evt })).evt, evt)
  })

  it('take no target from unknown or inherited keys', () => {
    const text = '{"__proto__":{"uid":"evil"},"constructor":{"rid":"evil"},"UID":"evil","evt":"hi"}'
    assert.deepEqual(parseEvent(text), { evt: 'hi' })
  })

  it('refuse a field that is no string, in both directions', () => {
    for (const name of ['uid', 'rid', 'evt']) {
      const message = `Event.${name} must be a string, not a number`
      assert.throws(() => parseEvent(`{"${name}":5}`), { name: 'CometError', code: 'INVALID_FIELD', message })
      const event = { evt: 'hi', [name]: 0 } as unknown as Event
      assert.throws(() => stringifyEvent(event), { name: 'CometError', code: 'INVALID_FIELD', message })
    }
  })

  it('refuse a text that is no JSON object', () => {
    assert.throws(() => parseEvent('nope'), { code: 'INVALID_JSON', message: /^Event is not JSON: / })
    const message = 'Event must be a JSON object, not null'
    assert.throws(() => parseEvent('null'), { code: 'INVALID_FIELD', message })
  })

  it('do not compile for a user that may be missing', () => {
    const uid = undefined as string | undefined
    // @ts-expect-error an event for one user must not become an event for the world
    const event: Event = { uid, evt: 'hi' }
    // On the wire there is no difference, so the compiler has to make it.
    assert.equal(stringifyEvent(event), stringifyEvent({ evt: 'hi' }))
  })
})
