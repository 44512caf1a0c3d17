import assert from 'node:assert/strict'
import {
  count,
  type Decoder,
  either,
  flag,
  json,
  nothing,
  object,
  optional,
  tagged,
  text,
} from '../../../lib/util/decode.ts'

/** What a decoder throws for a value in the place `enter.rid`. */
function refuses(decode: Decoder<unknown>, value: unknown, message: string): void {
  assert.throws(() => decode(value, 'enter.rid'), { name: 'CometError', code: 'INTERNAL', message })
}

describe('decode', () => {
  it('text accepts strings only', () => {
    assert.equal(text('', 'enter.rid'), '')
    for (const [value, kind] of [
      [5, 'a number'],
      [null, 'null'],
      [undefined, 'undefined'],
      [['den'], 'an array'],
    ] as const) {
      refuses(text, value, `enter.rid must be a string, not ${kind}.`)
    }
  })

  it('flag accepts booleans only', () => {
    assert.deepEqual([flag(true, 'x'), flag(false, 'x')], [true, false])
    for (const value of ['true', 1, 0, null]) {
      assert.throws(() => flag(value, 'enter.rid'), { message: /^enter\.rid must be a boolean, not / })
    }
  })

  it('count accepts whole numbers from 0 that are exact', () => {
    for (const value of [0, 1, Number.MAX_SAFE_INTEGER]) assert.equal(count(value, 'x'), value)
    for (const value of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, '1', 1n, null]) {
      const message = /^enter\.rid must be a whole number, 0 or more, not a/
      if (value !== null) assert.throws(() => count(value, 'enter.rid'), { code: 'INTERNAL', message })
    }
    refuses(count, null, 'enter.rid must be a whole number, 0 or more, not null.')
  })

  it('json passes a value on, and nothing drops it', () => {
    const value = { any: ['thing'] }
    assert.equal(json(value, 'x'), value)
    assert.equal(nothing(value, 'x'), undefined)
  })

  it('optional accepts undefined, and null in its place', () => {
    const decode = optional(text)
    assert.deepEqual(
      [decode(undefined, 'x'), decode(null, 'x'), decode('a', 'x')],
      [undefined, undefined, 'a'],
    )
    refuses(decode, 5, 'enter.rid must be a string, not a number.')
  })

  it('either takes the first decoder that accepts the value', () => {
    const decode = either<unknown>(object({ sid: text }), object({ uid: text }), flag)
    assert.deepEqual(decode({ sid: 's', uid: 'u' }, 'x'), { sid: 's' })
    assert.deepEqual(decode({ uid: 'u' }, 'x'), { uid: 'u' })
    assert.equal(decode(true, 'x'), true)
    refuses(decode, 'neither', 'enter.rid must be a boolean, not a string.')
  })

  it('object decodes its fields, and drops all others and those that are undefined', () => {
    const decode = object({ rid: text, since: optional(text) })
    assert.deepEqual(decode({ rid: 'den', more: 1 }, 'x'), { rid: 'den' })
    assert.deepEqual(decode({ rid: 'den', since: null }, 'x'), { rid: 'den' })
    assert.deepEqual(decode({ rid: 'den', since: 'p' }, 'x'), { rid: 'den', since: 'p' })
  })

  it('object names the field that is wrong', () => {
    refuses(object({ rid: text }), {}, 'enter.rid.rid must be a string, not undefined.')
    refuses(
      object({ in: object({ rid: text }) }),
      { in: { rid: 7 } },
      'enter.rid.in.rid must be a string, not a number.',
    )
    for (const [value, kind] of [
      [null, 'null'],
      ['{}', 'a string'],
      [undefined, 'undefined'],
    ] as const) {
      refuses(object({ rid: text }), value, `enter.rid must be an object, not ${kind}.`)
    }
  })

  it('object takes nothing from inherited keys', () => {
    refuses(object({ toString: text }), {}, 'enter.rid.toString must be a string, not undefined.')
    const polluted = JSON.parse('{"__proto__":{"rid":"den"}}')
    refuses(object({ rid: text }), polluted, 'enter.rid.rid must be a string, not undefined.')
  })

  it('tagged decodes by the shape that the type names', () => {
    const decode = tagged({ HB: {}, JOIN: { rid: text } })
    assert.deepEqual(decode({ type: 'HB', rid: 'den' }, 'x'), { type: 'HB' })
    assert.deepEqual(decode({ type: 'JOIN', rid: 'den' }, 'x'), { type: 'JOIN', rid: 'den' })
    refuses(decode, { type: 'JOIN' }, 'enter.rid.rid must be a string, not undefined.')
  })

  it('tagged refuses an unknown type, also one that every object inherits', () => {
    const decode = tagged({ HB: {}, JOIN: { rid: text } })
    for (const type of ['PUSH', 'toString', '']) {
      refuses(decode, { type }, 'enter.rid.type must be one of HB, JOIN, not a string.')
    }
    refuses(decode, {}, 'enter.rid.type must be a string, not undefined.')
    refuses(decode, null, 'enter.rid must be an object, not null.')
  })
})
