import fc from 'fast-check'
import { scaled } from '../support/inbox.ts'
import { closePresence, joinPresence } from '../support/presence-nodes.ts'
import { PresenceTwin, TWIN_GRACE, type TwinStep } from '../support/presence-twin.ts'
import { RedisServer } from '../support/redis-server.ts'
import { runs } from '../support/tier.ts'
import '../support/process-guard.ts'

const LEASE = 2_000
const nat = fc.nat({ max: 11 })
const base = { node: nat, session: nat }

/** Makes a connect. @param page the numbers of its user and client, if they are not any */
function connect(page: { user?: typeof nat; client?: typeof nat } = {}) {
  const rooms = fc.array(fc.tuple(nat, nat), { maxLength: 3 })
  const any = { node: nat, user: nat, client: nat, number: nat, info: nat, rooms }
  return fc.record({ op: fc.constant('connect'), ...any, ...page })
}

const step: fc.Arbitrary<TwinStep> = fc.oneof(
  { weight: 6, arbitrary: connect() },
  // Of one page, so that its requests often find it connected.
  { weight: 4, arbitrary: connect({ user: fc.constant(0), client: fc.constant(1) }) },
  { weight: 5, arbitrary: fc.record({ op: fc.constantFrom('drop', 'end', 'serves', 'locate'), ...base }) },
  {
    weight: 7,
    arbitrary: fc.record({
      op: fc.constantFrom('enter', 'leave', 'enterUser', 'leaveUser', 'membership'),
      ...base,
      room: nat,
      by: nat,
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('setInfo'), node: nat, user: nat, info: nat }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('endGrace'), ...base, what: nat, room: nat }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('wait'), ticks: fc.nat({ max: 12 }) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('lapse'), node: nat }) },
) as fc.Arbitrary<TwinStep>

describe('RedisPresence under random operations', function () {
  this.timeout(scaled(120_000))
  let server: RedisServer
  let namespace = 0

  before(async function () {
    server = await RedisServer.start(this)
  })
  after(() => server?.stop())
  afterEach(closePresence)

  for (const count of [1, 2, 3]) {
    it(`answers and tells what presence in memory does, on ${count} node(s)`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
          namespace += 1
          const clock = { now: 1_700_000_000_000 }
          const options = { lease: LEASE, now: () => clock.now }
          const nodes = await Promise.all(
            Array.from({ length: count }, (_, index) =>
              joinPresence(server.port, `n${index}`, `${namespace}`, options, TWIN_GRACE),
            ),
          )
          const twin = new PresenceTwin(nodes, clock, LEASE)
          await twin.follow()
          for (const each of steps) await twin.step(each)
          await twin.close()
          await closePresence()
        }),
        runs(20),
      )
    })
  }
})
