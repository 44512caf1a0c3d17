import fc from 'fast-check'
import { SEED } from './random.ts'
import { runs } from './tier.ts'

/** Required by mocha: one seed for all tests of a run, which is printed, so that a failure can be repeated. */
fc.configureGlobal({ seed: SEED, ...runs(100) })

export const mochaHooks = {
  beforeAll(): void {
    console.error(`  COMET_TEST_SEED=${SEED} makes the same random choices again`)
  },
}
