import assert from 'node:assert/strict'
import { type Broker, MemoryBroker, type UserActivityEvent } from '../../../lib/index.ts'
import { show } from '../../support/activity-rules.ts'
import { closeComets, connect, makeComet } from '../../support/comets.ts'
import { until, within } from '../../support/inbox.ts'
import '../../support/process-guard.ts'

/** A broker that tells those outside the cluster of users. */
function tellingBroker(tell: (events: readonly UserActivityEvent[]) => Promise<void>): Broker {
  const memory = new MemoryBroker()
  return {
    join: (node) => Object.assign(memory.join(node), { activity: tell }),
    presence: memory.presence,
    controller: memory.controller,
  }
}

describe('A broker that tells others of users', () => {
  afterEach(closeComets)

  it('gets what hooks hear, of all nodes, in order, also what ends with the Comet', async () => {
    const told: string[] = []
    const broker = tellingBroker(async (events) => {
      told.push(...events.map(show))
    })
    const one = makeComet({ broker, heard: 'record' })
    const two = makeComet({ broker })
    await connect(one.comet, 'alice', 'den')
    const bob = await connect(two.comet, 'bob')
    one.comet.heard('alice')
    bob.drop()
    await until(() => told.includes('OFFLINE bob'))
    await closeComets()
    assert.deepEqual(told, [
      ...['ONLINE alice', 'ENTER_ROOM alice den', 'ONLINE bob', 'HEARD alice', 'OFFLINE bob'],
      ...['LEAVE_ROOM alice den', 'OFFLINE alice'],
    ])
  })

  it('gets again what it did not take, in order, which is reported once and disturbs nobody', async () => {
    const refusal = new Error('Too many.')
    const told: string[] = []
    let refusals = 3
    const broker = tellingBroker(async (events) => {
      refusals -= 1
      if (refusals >= 0) throw refusal
      told.push(...events.map(show))
    })
    const { comet, reported } = makeComet({ broker })
    const errors: unknown[] = []
    comet.on('error', (error) => errors.push(error))
    await connect(comet, 'alice')
    await connect(comet, 'bob', 'den')
    await until(() => told.length === 3)
    assert.deepEqual(errors, [refusal])
    assert.deepEqual([told, reported], [reported, ['ONLINE alice', 'ONLINE bob', 'ENTER_ROOM bob den']])
  })

  it('is not waited for when the Comet closes', async () => {
    const { comet } = makeComet({ broker: tellingBroker(() => new Promise(() => {})) })
    await connect(comet, 'alice')
    await within(comet.close({ drain: 0 }), 'the end')
  })
})
