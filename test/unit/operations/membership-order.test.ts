import fc from 'fast-check'
import { MembershipStorm } from '../../support/membership-storm.ts'
import { Random } from '../../support/random.ts'
import { runs } from '../../support/tier.ts'

describe('Routing and presence under calls at the same time', () => {
  for (const nodes of [1, 2]) {
    it(`agree at rest, and nobody outside gets an event, on ${nodes} node(s) with a presence that answers late`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 8 }), async (seed, rounds) => {
          const storm = new MembershipStorm(new Random(seed), nodes)
          for (let round = 0; round < rounds; round += 1) await storm.round()
          await storm.close()
        }),
        runs(25),
      )
    })
  }
})
