import assert from 'node:assert/strict'
import { type Delivery, MemoryBroker } from '../../../lib/index.ts'
import { brokerContract } from '../../contracts/broker.ts'
import { brokerNode } from '../../contracts/handlers.ts'
import { countSteps } from '../../support/steps.ts'

describe('MemoryBroker', () => {
  brokerContract({ describe, it, beforeEach, afterEach }, () => new MemoryBroker())

  it('takes twice as many steps for twice as many events that are published amid one delivery', async () => {
    const publishAmid = async (count: number) => {
      const broker = new MemoryBroker()
      const got: string[] = []
      const deliver = {
        deliver: ({ data }: Delivery) => {
          got.push(data)
          if (data === 'first')
            for (let index = 0; index < count; index += 1) node.publish({ to: {}, data: `${index}` })
        },
      }
      const node = broker.join(brokerNode('a', 'test', deliver).node)
      const steps = await countSteps(() => node.publish({ to: {}, data: 'first' }))
      assert.equal(got.at(-1), `${count - 1}`)
      assert.equal(got.length, count + 1)
      return steps
    }
    const [once, twice] = [await publishAmid(5_000), await publishAmid(10_000)]
    assert.ok(once >= 5_000 && twice <= 2.5 * once, `${once} and ${twice}`)
  })
})
