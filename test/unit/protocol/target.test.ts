import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type Target, targetKey, targetOfKey } from '../../../lib/protocol/target.ts'

describe('targetKey', () => {
  const id = fc.oneof(fc.constantFrom('w', 'u', 'r', 's', 'ualice', 'rlobby'), fc.string({ minLength: 1 }))
  const target: fc.Arbitrary<Target> = fc.oneof(
    fc.record({ uid: id }),
    fc.record({ rid: id }),
    fc.record({ sid: id }),
    fc.constant({}),
  )

  it('makes a key that tells the target, whatever its id is', () => {
    fc.assert(fc.property(target, (one) => assert.deepEqual(targetOfKey(targetKey(one)), { ...one })))
  })

  it('makes another key for another target', () => {
    fc.assert(
      fc.property(target, target, (one, other) => {
        const isSame = JSON.stringify(one) === JSON.stringify(other)
        assert.equal(targetKey(one) === targetKey(other), isSame)
      }),
    )
  })
})
