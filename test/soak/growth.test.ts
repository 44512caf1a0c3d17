import assert from 'node:assert/strict'
import type { Comet } from '../../lib/index.ts'
import { makeComet } from '../support/comets.ts'
import { scaled } from '../support/inbox.ts'
import { MemoryTransport } from '../support/memory-transport.ts'
import { countSteps } from '../support/steps.ts'
import { figure, sampled } from '../support/tier.ts'

const SIZES = sampled([1_000, 10_000, 100_000], [500, 5_000])

const OPERATIONS = [
  ...(['publish to a user', 'publish to a room', 'enter', 'leave'] as const),
  ...(['enter a user', 'leave a user', 'connect', 'disconnect'] as const),
] as const

/** The steps of anything else in the process. */
const NOISE = 3

/** A client that keeps nothing of what it is sent. */
class QuietTransport extends MemoryTransport {
  override write(): boolean {
    return true
  }
}

async function connect(comet: Comet, uid: string, ...rids: string[]): Promise<QuietTransport> {
  const transport = new QuietTransport()
  await comet.connect({ identity: uid, transport, rids })
  return transport
}

/** A Comet with as many sessions, each of another user and in a room of its own. */
async function fill(size: number): Promise<Comet> {
  const { comet } = makeComet({ heartbeatInterval: 0, maxConnectionAge: 0, historyEvents: 10 })
  for (let index = 0; index < size; index += 1) await connect(comet, `user-${index}`, `room-${index}`)
  return comet
}

describe('Comet: the number of steps that an operation takes', function () {
  this.timeout(scaled(sampled(300_000, 60_000)))
  const counts = new Map<number, Record<string, number>>()

  before(async () => {
    for (const size of SIZES) {
      const comet = await fill(size)
      const uid = `user-${size / 2}`
      const { sid } = comet.dump().sessions[size / 2] ?? { sid: '' }
      let alice: QuietTransport | undefined
      const operations: Record<(typeof OPERATIONS)[number], () => unknown> = {
        'publish to a user': () => comet.publish({ uid, evt: 'hi' }),
        'publish to a room': () => comet.publish({ rid: `room-${size / 2}`, evt: 'hi' }),
        enter: () => comet.enter({ sid }, 'den'),
        leave: () => comet.leave({ sid }, 'den'),
        'enter a user': () => comet.enter({ uid }, 'den'),
        'leave a user': () => comet.leave({ uid }, 'den'),
        connect: async () => {
          alice = await connect(comet, 'alice', 'den')
        },
        disconnect: () => alice?.drop(),
      }
      const least: Record<string, number> = {}
      // Anything else in the process may add a step now and then: the least is what the operation takes.
      for (let round = 0; round < 6; round += 1) {
        for (const name of OPERATIONS) {
          const steps = await countSteps(operations[name])
          least[name] = Math.min(least[name] ?? steps, steps)
        }
      }
      counts.set(size, least)
      await comet.close({ drain: 0 })
    }
  })

  for (const operation of OPERATIONS) {
    it(`is the same for ${operation}, however many sessions and rooms there are`, () => {
      const steps = SIZES.map((size) => counts.get(size)?.[operation] ?? 0)
      figure(`steps of ${operation} with ${SIZES.join(', ')} sessions`, steps.join(', '))
      assert.ok(Number(steps[0]) > 0)
      const [least, most] = [Math.min(...steps), Math.max(...steps)]
      assert.ok(most - least <= NOISE, `${operation}: ${steps} for ${SIZES}`)
    })
  }

  it('grows where it must: publishing to the world takes a step for each session', async () => {
    const comet = await fill(1_000)
    const all = await countSteps(() => comet.publish({ evt: 'hi' }))
    assert.ok(all >= 1_000, `${all}`)
    await comet.close({ drain: 0 })
  })
})
