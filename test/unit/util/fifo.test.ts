import assert from 'node:assert/strict'
import fc from 'fast-check'
import { Fifo } from '../../../lib/util/fifo.ts'
import { countSteps } from '../../support/steps.ts'

describe('Fifo', () => {
  it('hands out what was pushed, in order, as an array does', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 200 }), (steps) => {
        const queue = new Fifo<number>()
        const model: number[] = []
        for (const [index, isPush] of steps.entries()) {
          if (isPush) {
            queue.push(index)
            model.push(index)
          } else {
            assert.equal(queue.shift(), model.shift())
          }
          assert.deepEqual([queue.size, queue.first], [model.length, model[0]])
        }
      }),
    )
  })

  it('takes twice as many steps to hand out twice as many items', async () => {
    const empty = (count: number) => {
      const queue = new Fifo<number>()
      for (let index = 0; index < count; index += 1) queue.push(index)
      return countSteps(() => {
        while (queue.shift() !== undefined);
      })
    }
    const [once, twice] = [await empty(5_000), await empty(10_000)]
    assert.ok(twice <= 2.5 * once, `${once} and ${twice}`)
  })
})
