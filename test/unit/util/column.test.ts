import assert from 'node:assert/strict'
import fc from 'fast-check'
import { Column } from '../../../lib/util/column.ts'
import { runs } from '../../support/tier.ts'

/** More than a chunk of slots. */
const SLOTS = 2_500

describe('Column', () => {
  it('keeps a value for each slot, as an array does, over the borders of its chunks', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(SLOTS - 1), fc.integer()), { maxLength: 100 }),
        fc.constantFrom(Column.ofIntegers, Column.ofNumbers),
        (changes, make) => {
          const column = make()
          const model: number[] = []
          for (let slot = 0; slot < SLOTS; slot += 1) {
            column.set(slot, slot)
            model.push(slot)
          }
          for (const [slot, value] of changes) {
            column.set(slot, value)
            model[slot] = value
          }
          assert.deepEqual(
            model.map((_, slot) => column.get(slot)),
            model,
          )
        },
      ),
      runs(30),
    )
  })

  it('keeps fractions, and numbers of more than 32 bits', () => {
    const numbers = Column.ofNumbers()
    numbers.set(0, 2 ** 40 + 0.5)
    assert.equal(numbers.get(0), 2 ** 40 + 0.5)
  })

  it('begins anew once it is cleared', () => {
    const column = Column.ofIntegers()
    for (let round = 0; round < 3; round += 1) {
      for (let slot = 0; slot < SLOTS; slot += 1) column.set(slot, slot + round)
      assert.equal(column.get(SLOTS - 1), SLOTS - 1 + round)
      column.clear()
    }
  })
})
