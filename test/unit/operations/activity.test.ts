import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import fc from 'fast-check'
import { type CometOptions, MemoryBroker } from '../../../lib/index.ts'
import { assertActivityRules } from '../../support/activity-rules.ts'
import { closeComets, connect, makeComet } from '../../support/comets.ts'
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

describe('Options activity and heard', () => {
  afterEach(closeComets)

  function makeNodes(options: CometOptions) {
    const broker = new MemoryBroker()
    const one = makeComet({ broker, ...options })
    const two = makeComet({ broker, activity: 'cluster', heard: 'record' })
    return { one, two }
  }

  it('have a node hear the transitions of all nodes, and who was heard, in one order', async () => {
    const { one, two } = makeNodes({ heard: 'record' })
    const alice = await connect(one.comet, 'alice', 'den')
    one.comet.heard('alice')
    two.comet.heard('bob')
    alice.drop()
    const own = ['ONLINE alice', 'ENTER_ROOM alice den', 'HEARD alice']
    assert.deepEqual(one.reported, [...own, 'LEAVE_ROOM alice den', 'OFFLINE alice'])
    assert.deepEqual(two.reported, [...own, 'HEARD bob', 'LEAVE_ROOM alice den', 'OFFLINE alice'])
  })

  it('tell other nodes at most once a second that a user was heard', async () => {
    const { one, two } = makeNodes({ heard: 'record' })
    for (let times = 0; times < 5; times += 1) {
      one.comet.heard('alice')
      two.comet.heard('bob')
    }
    one.comet.heard('carol')
    assert.equal(one.reported.length, 6)
    assert.deepEqual(two.reported, ['HEARD alice', 'HEARD bob', 'HEARD carol'])
  })

  it('keep to the node by default', async () => {
    const { one, two } = makeNodes({})
    one.comet.heard('alice')
    two.comet.heard('bob')
    assert.deepEqual([one.reported, two.reported], [['HEARD alice'], ['HEARD bob']])
  })
})
