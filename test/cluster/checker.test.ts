import assert from 'node:assert/strict'
import { judge } from './checker.ts'
import { observeMemory } from './memory-cluster.ts'
import type { Observations } from './observations.ts'
import { ORDER_FAULTS, PAGE_FAULTS, PRESENCE_FAULTS, planted } from './planted-faults.ts'

describe('The checker', function () {
  this.timeout(60_000)
  let run: Observations

  before(async () => {
    run = await observeMemory(3_000, 300)
  })

  it('finds nothing wrong with nodes on a MemoryBroker', () => {
    assert.deepEqual(judge(run), [])
  })

  describe('finds that', () => {
    for (const fault of [...ORDER_FAULTS, ...PRESENCE_FAULTS, ...PAGE_FAULTS]) {
      it(fault.title, () => {
        assert.match(judge(planted(run, fault)).join('\n'), fault.says)
      })
    }
  })
})
