import assert from 'node:assert/strict'
import type { Comet } from '../../lib/index.ts'
import { closeComets, makeComet } from '../support/comets.ts'
import { MemoryTransport } from '../support/memory-transport.ts'
import { countSteps } from '../support/steps.ts'

const SIZES = [1_000, 10_000, 100_000]

const OPERATIONS = [
  ...(['publish to a user', 'publish to a room', 'enter', 'leave'] as const),
  ...(['enter a user', 'leave a user', 'connect', 'disconnect'] as const),
] as const

/** The steps of whatever else goes on in the process. */
const NOISE = 3

/** A client of which nothing is kept but that it is there. */
class QuietTransport extends MemoryTransport {
  override write(): boolean {
    return true
  }
}

async function come(comet: Comet, uid: string, ...rids: string[]): Promise<QuietTransport> {
  const transport = new QuietTransport()
  await comet.connect({ identity: uid, transport, rids })
  return transport
}

/** As many sessions, each with a user and a room of its own. */
async function fill(size: number): Promise<Comet> {
  const { comet } = makeComet({ heartbeatInterval: 0, maxConnectionAge: 0, historyEvents: 10 })
  for (let index = 0; index < size; index += 1) await come(comet, `user-${index}`, `room-${index}`)
  return comet
}

describe('The number of steps that an operation takes', function () {
  this.timeout(120_000)
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
          alice = await come(comet, 'alice', 'den')
        },
        disconnect: () => alice?.drop(),
      }
      const least: Record<string, number> = {}
      // What else goes on in the process now and then adds a step: the least is what the operation takes.
      for (let round = 0; round < 6; round += 1) {
        for (const name of OPERATIONS) {
          const steps = await countSteps(operations[name])
          least[name] = Math.min(least[name] ?? steps, steps)
        }
      }
      counts.set(size, least)
      await closeComets()
    }
  })

  for (const operation of OPERATIONS) {
    it(`is the same for ${operation}, however many sessions and rooms there are`, () => {
      const steps = SIZES.map((size) => counts.get(size)?.[operation] ?? 0)
      assert.ok(Number(steps[0]) > 0)
      const [least, most] = [Math.min(...steps), Math.max(...steps)]
      assert.ok(most - least <= NOISE, `${operation}: ${steps} for ${SIZES}`)
    })
  }

  it('is more where it must be: to publish to all takes a step for each', async () => {
    const comet = await fill(1_000)
    const all = await countSteps(() => comet.publish({ evt: 'hi' }))
    assert.ok(all >= 1_000, `${all}`)
    await closeComets()
  })
})
