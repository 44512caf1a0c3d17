import assert from 'node:assert/strict'
import fc from 'fast-check'
import { flat } from '../../../lib/util/flat.ts'
import { anyText } from '../../support/arbitraries.ts'

describe('flat', () => {
  it('returns the same text, whatever is in it and whatever it was cut out of', () => {
    fc.assert(
      fc.property(anyText, fc.nat(40), fc.nat(40), (text, from, length) => {
        assert.equal(flat(text), text)
        assert.equal(flat(text.slice(from, from + length)), text.slice(from, from + length))
        assert.equal(flat(text + text), text + text)
      }),
    )
  })
})
