import assert from 'node:assert/strict'
import fc from 'fast-check'
import { issuerOf, newNodeId, newSid } from '../../../lib/ids.ts'
import { kindOf } from '../../../lib/util/kind-of.ts'
import { checkId, checkUid } from '../../../lib/util/validate.ts'
import { anyText } from '../protocol/arbitraries.ts'

const invalid = (problem: string) => ({ name: 'CometError', code: 'INVALID_ID', message: `rid ${problem}` })

describe('an identifier', () => {
  it('is any well-formed text without CR, LF and NUL, and stays as it is', () => {
    const good = ['a', ' ', 'u/1', '用户', '\u{1f600}', 'a\tb', '\u2028', '\ufeff', '__proto__']
    for (const id of good) assert.equal(checkId('rid', id, 256), id)
  })

  it('is refused when it is missing or no string', () => {
    for (const [value, kind] of [
      [undefined, 'undefined'],
      [null, 'null'],
      [5, 'a number'],
      [{}, 'an object'],
      [['a'], 'an array'],
    ] as const) {
      assert.throws(() => checkId('rid', value, 256), invalid(`must be a string, not ${kind}`))
    }
  })

  it('is refused when it is empty', () => {
    assert.throws(() => checkId('rid', '', 256), invalid('must not be empty'))
  })

  it('is refused with a CR, LF or NUL anywhere', () => {
    for (const id of ['\r', '\n', '\0', 'a\rb', 'a\n', '\0b', 'a\r\nb']) {
      assert.throws(() => checkId('rid', id, 256), invalid('must not contain CR, LF or NUL'))
    }
  })

  it('is refused with a lone surrogate', () => {
    for (const id of ['\ud83d', 'a\ude00', '\ude00\ud83d', '\ud83d\ud83d\ude00']) {
      assert.throws(() => checkId('rid', id, 256), invalid('must not contain a lone surrogate'))
    }
  })

  it('may have as many bytes of UTF-8 as it is said, and no more', () => {
    for (const unit of ['x', 'é', '\u20ac', '\u{1f600}']) {
      const fits = unit.repeat(12 / Buffer.byteLength(unit))
      assert.equal(checkId('rid', fits, 12), fits)
      const problem = 'must have at most 12 bytes (option maxIdBytes)'
      assert.throws(() => checkId('rid', `${fits}x`, 12), invalid(problem))
    }
  })

  it('is accepted exactly when all of this is true', () => {
    const max = fc.integer({ min: 1, max: 40 })
    fc.assert(
      fc.property(anyText, max, (text, maxBytes) => {
        const good = text !== '' && !/[\r\n\0]/.test(text) && Buffer.from(text).toString() === text
        if (good && Buffer.from(text).length <= maxBytes) assert.equal(checkId('rid', text, maxBytes), text)
        else assert.throws(() => checkId('rid', text, maxBytes), { code: 'INVALID_ID' })
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('a uid', () => {
  it('may be an integer, which is taken in decimal', () => {
    assert.equal(checkUid('uid', 0, 256), '0')
    assert.equal(checkUid('uid', -0, 256), '0')
    assert.equal(checkUid('uid', -7, 256), '-7')
    assert.equal(checkUid('uid', Number.MAX_SAFE_INTEGER, 256), '9007199254740991')
    assert.equal(checkUid('uid', 12345678901234567890n, 256), '12345678901234567890')
  })

  it('is refused as a number that may not be the one that was meant', () => {
    for (const value of [1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, -(2 ** 53)]) {
      const message = `uid must be a safe integer, not ${value}`
      assert.throws(() => checkUid('uid', value, 256), { name: 'CometError', code: 'INVALID_ID', message })
    }
  })

  it('is checked as an identifier otherwise', () => {
    assert.equal(checkUid('uid', 'alice', 256), 'alice')
    for (const value of [undefined, null, '', 'a\nb', true, {}, Symbol('x')]) {
      assert.throws(() => checkUid('uid', value, 256), { name: 'CometError', code: 'INVALID_ID' })
    }
  })

  it('has the same limit whatever it is made from', () => {
    assert.equal(checkUid('uid', 12345678n, 8), '12345678')
    for (const value of ['123456789', 123456789, 123456789n, 10n ** 1_000n]) {
      const message = 'uid must have at most 8 bytes (option maxIdBytes)'
      assert.throws(() => checkUid('uid', value, 8), { name: 'CometError', code: 'INVALID_ID', message })
    }
  })
})

describe('a sid', () => {
  it('names the node that owns the session', () => {
    for (let round = 0; round < 200; round += 1) {
      const node = newNodeId()
      assert.equal(issuerOf(newSid(node)), node)
    }
  })

  it('is another one each time, as is a node id', () => {
    const node = newNodeId()
    assert.equal(new Set(Array.from({ length: 1_000 }, () => newSid(node))).size, 1_000)
    assert.equal(new Set(Array.from({ length: 1_000 }, newNodeId)).size, 1_000)
  })

  it('may stand in a URL as it is', () => {
    const sid = newSid(newNodeId())
    assert.equal(encodeURIComponent(sid), sid)
  })

  it('has no owner when it cannot be one', () => {
    const sid = newSid(newNodeId())
    const others = [
      '',
      '.',
      'a.b',
      sid.slice(1),
      sid.slice(0, -1),
      `${sid}x`,
      `${sid}\n`,
      ` ${sid}`,
      `${sid}.x`,
    ]
    for (const text of [...others, sid.replace('.', '/'), sid.replace('.', '')]) {
      assert.equal(issuerOf(text), undefined)
    }
  })
})

describe('kindOf', () => {
  it('says in words what a value is, but never the value', () => {
    const words = [
      undefined,
      null,
      'secret',
      5,
      5n,
      true,
      Symbol('secret'),
      {},
      ['secret'],
      () => 'secret',
    ].map(kindOf)
    assert.deepEqual(words, [
      ...['undefined', 'null', 'a string', 'a number', 'a bigint', 'a boolean', 'a symbol'],
      ...['an object', 'an array', 'a function'],
    ])
  })
})
