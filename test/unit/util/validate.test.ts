import assert from 'node:assert/strict'
import fc from 'fast-check'
import { checkId, checkUid } from '../../../lib/util/validate.ts'
import { anyText } from '../../support/arbitraries.ts'
import { runs } from '../../support/tier.ts'

const invalid = (problem: string) => ({ name: 'CometError', code: 'INVALID_ID', message: `rid ${problem}` })

describe('checkId', () => {
  it('returns any well-formed text without CR, LF and NUL unchanged', () => {
    const good = ['a', ' ', 'u/1', '用户', '\u{1f600}', 'a\tb', '\u2028', '\ufeff', '__proto__']
    for (const id of good) assert.equal(checkId('rid', id, 256), id)
  })

  it('refuses a value that is missing or no string', () => {
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

  it('refuses an empty text', () => {
    assert.throws(() => checkId('rid', '', 256), invalid('must not be empty'))
  })

  it('refuses CR, LF and NUL anywhere', () => {
    for (const id of ['\r', '\n', '\0', 'a\rb', 'a\n', '\0b', 'a\r\nb']) {
      assert.throws(() => checkId('rid', id, 256), invalid('must not contain CR, LF or NUL'))
    }
  })

  it('refuses a lone surrogate', () => {
    for (const id of ['\ud83d', 'a\ude00', '\ude00\ud83d', '\ud83d\ud83d\ude00']) {
      assert.throws(() => checkId('rid', id, 256), invalid('must not contain a lone surrogate'))
    }
  })

  it('counts the limit in bytes of UTF-8', () => {
    for (const unit of ['x', 'é', '\u20ac', '\u{1f600}']) {
      const fits = unit.repeat(12 / Buffer.byteLength(unit))
      assert.equal(checkId('rid', fits, 12), fits)
      const problem = 'must have at most 12 bytes (option maxIdBytes)'
      assert.throws(() => checkId('rid', `${fits}x`, 12), invalid(problem))
    }
  })

  it('accepts a text exactly when it keeps all of these rules', () => {
    const max = fc.integer({ min: 1, max: 40 })
    fc.assert(
      fc.property(anyText, max, (text, maxBytes) => {
        const good = text !== '' && !/[\r\n\0]/.test(text) && Buffer.from(text).toString() === text
        if (good && Buffer.from(text).length <= maxBytes) assert.equal(checkId('rid', text, maxBytes), text)
        else assert.throws(() => checkId('rid', text, maxBytes), { code: 'INVALID_ID' })
      }),
      runs(1_000),
    )
  })
})

describe('checkUid', () => {
  it('takes an integer in decimal', () => {
    assert.equal(checkUid('uid', 0, 256), '0')
    assert.equal(checkUid('uid', -0, 256), '0')
    assert.equal(checkUid('uid', -7, 256), '-7')
    assert.equal(checkUid('uid', Number.MAX_SAFE_INTEGER, 256), '9007199254740991')
    assert.equal(checkUid('uid', 12345678901234567890n, 256), '12345678901234567890')
  })

  it('refuses a number that may have been rounded', () => {
    for (const value of [1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, -(2 ** 53)]) {
      const message = `uid must be a safe integer, not ${value}`
      assert.throws(() => checkUid('uid', value, 256), { name: 'CometError', code: 'INVALID_ID', message })
    }
  })

  it('checks anything else as checkId does', () => {
    assert.equal(checkUid('uid', 'alice', 256), 'alice')
    for (const value of [undefined, null, '', 'a\nb', true, {}, Symbol('x')]) {
      assert.throws(() => checkUid('uid', value, 256), { name: 'CometError', code: 'INVALID_ID' })
    }
  })

  it('applies one limit to strings, numbers and bigints', () => {
    assert.equal(checkUid('uid', 12345678n, 8), '12345678')
    for (const value of ['123456789', 123456789, 123456789n, 10n ** 1_000n]) {
      const message = 'uid must have at most 8 bytes (option maxIdBytes)'
      assert.throws(() => checkUid('uid', value, 8), { name: 'CometError', code: 'INVALID_ID', message })
    }
  })
})
