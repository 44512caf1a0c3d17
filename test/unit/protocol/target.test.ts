import assert from 'node:assert/strict'
import fc from 'fast-check'
import { targetIn, targetKey, targetOfKey } from '../../../lib/protocol/target.ts'

describe('targetKey', () => {
  const id = fc.oneof(fc.constantFrom('w', 'u', 'r', 'ualice', 'rlobby'), fc.string({ minLength: 1 }))
  const targeted = fc.oneof(
    fc.record({ uid: id }, { requiredKeys: ['uid'] }),
    fc.record({ rid: id }, { requiredKeys: ['rid'] }),
    fc.record({ uid: id, rid: id }),
    fc.constant({}),
  )

  it('makes a key that tells the target, whatever its id is', () => {
    fc.assert(
      fc.property(targeted, (event) => assert.deepEqual(targetOfKey(targetKey(event)), targetIn(event))),
    )
  })

  it('makes another key for another target', () => {
    fc.assert(
      fc.property(targeted, targeted, (one, other) => {
        const isSame = JSON.stringify(targetIn(one)) === JSON.stringify(targetIn(other))
        assert.equal(targetKey(one) === targetKey(other), isSame)
      }),
    )
  })
})
