import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type Message, parseMessage, stringifyMessage } from '../../../lib/index.ts'
import { anyText, int64 } from '../../support/arbitraries.ts'
import { runs } from '../../support/tier.ts'

/** A Message as a Go service sent it. */
const FROM_GO =
  '{"server":"io.goeasy.cli.pub","event":"demo","data":"\\u003cb\\u003e","time":1700000000123456789}'

const EMPTY = { server: '', event: '', data: '', id: '', time: 0n }

/** Accepts anything, because JavaScript callers may pass anything. */
const write = (message: unknown) => stringifyMessage(message as Message)

describe('parseMessage and stringifyMessage', () => {
  it('read what Go writes', () => {
    const message = { server: 'io.goeasy.cli.pub', event: 'demo', data: '<b>', time: 1700000000123456789n }
    assert.deepEqual(parseMessage(FROM_GO), { ...EMPTY, ...message })
  })

  it('write byte for byte what Go writes', () => {
    const message = { server: 'io.goeasy.cli.pub', event: 'demo', data: '<b>', time: 1700000000123456789n }
    assert.equal(stringifyMessage(message), FROM_GO)
    assert.equal(stringifyMessage(parseMessage(FROM_GO)), FROM_GO)
  })

  it('write {} for an empty Message, and read it back', () => {
    assert.equal(stringifyMessage({}), '{}')
    assert.deepEqual(parseMessage('{}'), EMPTY)
  })

  it('leave out zero values', () => {
    assert.equal(stringifyMessage(EMPTY), '{}')
    assert.equal(write({ server: undefined, event: null, data: 'x', time: null }), '{"data":"x"}')
  })

  it('write the fields in the order of the protocol, whatever their order in the object', () => {
    const text = '{"server":"s","event":"e","data":"d","id":"i","time":7}'
    assert.equal(stringifyMessage({ time: 7n, id: 'i', data: 'd', event: 'e', server: 's' }), text)
  })

  it('write no fields but those of the protocol', () => {
    assert.equal(write({ event: 'e', uid: 'u1', evt: 'x' }), '{"event":"e"}')
  })

  it('escape <, >, &, U+2028 and U+2029, which may be unsafe where a text is embedded', () => {
    const text = '{"data":"\\u003c\\u003e\\u0026\\u2028\\u2029"}'
    assert.equal(stringifyMessage({ data: '<>&\u2028\u2029' }), text)
    assert.equal(parseMessage(text).data, '<>&\u2028\u2029')
  })

  it('write other characters as Go does', () => {
    // Before Go 1.22, \b and \f were written as \u0008 and \u000c, which is the same text.
    const data = '\0\x01\b\t\n\f\r\x1f "\\/\x7f\x80é\ufeff\ufffd\u{1f600}'
    const text = '\\u0000\\u0001\\b\\t\\n\\f\\r\\u001f \\"\\\\/\x7f\x80é\ufeff\ufffd\u{1f600}'
    assert.equal(stringifyMessage({ data }), `{"data":"${text}"}`)
  })

  it('write U+FFFD for a lone surrogate, which UTF-8 cannot carry', () => {
    assert.equal(stringifyMessage({ data: 'a\ud83db\ude00' }), '{"data":"a\ufffdb\ufffd"}')
    assert.equal(stringifyMessage({ data: '\ude00\ud83d' }), '{"data":"\ufffd\ufffd"}')
    assert.equal(stringifyMessage({ data: '\ud83d\ude00' }), '{"data":"\u{1f600}"}')
  })

  it('round-trip any text in any field except lone surrogates', () => {
    const fields = { server: anyText, event: anyText, data: anyText, id: anyText, time: int64 }
    fc.assert(
      fc.property(fc.record(fields, { requiredKeys: [] }), (message) => {
        const wanted = Object.fromEntries(
          Object.entries(message).map(([name, value]) => [
            name,
            typeof value === 'string' ? value.toWellFormed() : value,
          ]),
        )
        assert.deepEqual(parseMessage(stringifyMessage(message)), { ...EMPTY, ...wanted })
      }),
      runs(500),
    )
  })

  it('write JSON that every parser reads the same', () => {
    fc.assert(
      fc.property(anyText, int64, (data, time) => {
        const parsed: unknown = JSON.parse(stringifyMessage({ data, time }))
        const present = { ...(data === '' ? {} : { data: data.toWellFormed() }) }
        assert.deepEqual(parsed, { ...present, ...(time === 0n ? {} : { time: Number(time) }) })
      }),
    )
  })

  it('ignore unknown fields, and take null for the default', () => {
    const text = '{"v":2,"event":"e","data":null,"id":null,"x":{"data":"no"},"server":null}'
    assert.deepEqual(parseMessage(text), { ...EMPTY, event: 'e' })
  })

  it('read a plain object with nothing inherited or polluted, whatever the keys', () => {
    const evil = '{"server":"evil","data":"evil","time":"1"}'
    const read = parseMessage(`{"__proto__":${evil},"constructor":{"prototype":${evil}},"toString":"x"}`)
    assert.deepEqual(read, EMPTY)
    assert.equal(Object.getPrototypeOf(read), Object.prototype)
    assert.equal('server' in {}, false)
  })

  it('take nothing from a polluted Object.prototype', () => {
    const polluted = Object.prototype as { server?: string; time?: string }
    try {
      polluted.server = 'evil'
      polluted.time = '7'
      assert.deepEqual({ ...parseMessage('{}') }, EMPTY)
    } finally {
      delete polluted.server
      delete polluted.time
    }
  })

  it('refuse a field that should be a string and is none, and name it', () => {
    for (const [value, kind] of [
      ['5', 'a number'],
      ['0', 'a number'],
      ['false', 'a boolean'],
      ['{}', 'an object'],
      ['[]', 'an array'],
    ]) {
      assert.throws(() => parseMessage(`{"data":${value}}`), {
        name: 'CometError',
        code: 'INVALID_FIELD',
        message: `Message.data must be a string, not ${kind}`,
      })
    }
  })

  it('refuse to write a field of another type, even a zero value', () => {
    for (const value of [5, 0, Number.NaN, false, 0n, 5n, [], {}, () => 'x', Symbol('x')]) {
      for (const name of ['server', 'event', 'data', 'id']) {
        const says = new RegExp(`^Message\\.${name} must be a string, not an? `)
        assert.throws(() => write({ [name]: value }), { code: 'INVALID_FIELD', message: says })
      }
    }
  })

  it('refuse to write a time that is no bigint, because it would be wrong or rounded', () => {
    for (const time of [1700000000123, 0, 1.5, Number.NaN, '1700000000123456789', '', true, new Date(0)]) {
      const says = /^Message\.time must be a bigint, not an? /
      assert.throws(() => write({ time }), { name: 'CometError', code: 'INVALID_FIELD', message: says })
    }
  })

  it('refuse to write a time out of the range of int64', () => {
    for (const time of [2n ** 63n, -(2n ** 63n) - 1n, 2n ** 64n]) {
      const message = `Message.time is out of the range of int64: ${time}`
      assert.throws(() => write({ time }), { code: 'INVALID_FIELD', message })
    }
  })

  it('refuse to write anything but an object', () => {
    for (const value of [undefined, null, 'text', 5]) {
      assert.throws(() => write(value), {
        code: 'INVALID_FIELD',
        message: /^Message must be an object, not /,
      })
    }
  })

  it('refuse a text that is not JSON, with the reason', () => {
    for (const text of [
      '',
      ' ',
      'abc',
      '{',
      '{"data":1,}',
      "{'data':'x'}",
      '{"time":01}',
      '{"time":+1}',
      '{}{}',
    ]) {
      assert.throws(
        () => parseMessage(text),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, 'INVALID_JSON', text)
          assert.ok(error.cause instanceof SyntaxError)
          assert.equal(error.message, `Message is not JSON: ${error.cause.message}`)
          return true
        },
      )
    }
  })

  it('refuse JSON that is no object, and name its kind', () => {
    for (const [text, kind] of [
      ['null', 'null'],
      ['[]', 'an array'],
      ['"{}"', 'a string'],
      ['7', 'a number'],
      ['true', 'a boolean'],
    ] as const) {
      const message = `Message must be a JSON object, not ${kind}`
      assert.throws(() => parseMessage(text), { code: 'INVALID_FIELD', message })
    }
  })

  it('refuse anything but a text', () => {
    for (const text of [undefined, null, {}, Buffer.from('{}')]) {
      const message = /^Message must be given as a string, not /
      assert.throws(() => parseMessage(text as unknown as string), { code: 'INVALID_FIELD', message })
    }
  })
})
