import assert from 'node:assert/strict'
import { kindOf } from '../../../lib/util/kind-of.ts'

describe('kindOf', () => {
  it('names the kind of a value, never the value itself', () => {
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
