import assert from 'node:assert/strict'
import fc from 'fast-check'
import { Numbered } from '../../../lib/util/numbered.ts'
import { runs } from '../../support/tier.ts'

describe('Numbered', () => {
  it('gives each item the number of a deleted one, or the next', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.nat()), { maxLength: 100 }), (steps) => {
        const items = new Numbered<{ readonly step: number }>()
        const model = new Map<number, { readonly step: number }>()
        let most = 0
        for (const [step, choice] of steps.entries()) {
          if (choice === null) {
            const item = { step }
            const number = items.add(item)
            assert.ok(!model.has(number), `${number} is in use`)
            model.set(number, item)
            most = Math.max(most, model.size)
            assert.ok(number < most, `${number} of ${most}`)
          } else if (model.size > 0) {
            const number = Array.from(model.keys())[choice % model.size] as number
            items.delete(number)
            model.delete(number)
          }
          for (const [number, item] of model) assert.equal(items.get(number), item)
        }
      }),
      runs(60),
    )
  })
})
