import assert from 'node:assert/strict'
import fc from 'fast-check'
import { SmallSet } from '../../../lib/util/small-set.ts'

describe('SmallSet', () => {
  it('behaves like a Set after any sequence of add and delete', () => {
    const items = Array.from({ length: 4 }, (_, index) => ({ index }))
    const step = fc.record({
      op: fc.constantFrom('add' as const, 'delete' as const),
      item: fc.constantFrom(...items),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const few = new SmallSet<object>()
        const set = new Set<object>()
        for (const { op, item } of steps) {
          few[op](item)
          set[op](item)
          assert.deepEqual([few.size, Array.from(few.members)], [set.size, Array.from(set)])
        }
      }),
    )
  })
})
