import FakeTimers from '@sinonjs/fake-timers'
import fc from 'fast-check'
import { assertActivityRules } from '../../support/activity-rules.ts'
import { PresenceChurn, type Step } from '../../support/presence-churn.ts'
import { runs } from '../../support/tier.ts'

const number = fc.nat({ max: 11 })
const rooms = fc.array(number, { maxLength: 3 })

/** Connects and waits are more frequent, or most other steps would find no session. */
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ op: fc.constant('connect'), user: number, rooms, asked: rooms }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('connectAnonymous'), asked: rooms }) },
  {
    weight: 4,
    arbitrary: fc.record({ op: fc.constantFrom('drop', 'bye', 'disconnectSession'), session: number }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constantFrom('join', 'leave', 'enterSession', 'leaveSession'),
      session: number,
      room: number,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ op: fc.constantFrom('enterUser', 'leaveUser'), user: number, room: number }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('disconnectUser'), user: number }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('disconnectRoom'), room: number }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('wait'), ticks: fc.nat({ max: 70 }) }) },
) as fc.Arbitrary<Step>

describe("Comet.on('activity') under random operations", () => {
  for (const nodes of [1, 3]) {
    it(`keeps every rule and agrees with a simple model, on ${nodes} node(s)`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 80 }), async (steps) => {
          // Timers only: times come from the real clock, which all Comets of the process share.
          const clock = FakeTimers.install({
            toFake: ['setTimeout', 'clearTimeout'],
          })
          try {
            const churn = new PresenceChurn(clock, nodes)
            for (const each of steps) await churn.step(each)
            await churn.close()
            assertActivityRules(churn.log)
          } finally {
            clock.uninstall()
          }
        }),
        runs(150),
      )
    })
  }
})
