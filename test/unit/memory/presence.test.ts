import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import { MemoryBroker } from '../../../lib/index.ts'
import { presenceNode } from '../../contracts/handlers.ts'
import { presenceContract } from '../../contracts/presence.ts'
import { closeComets, makeComet } from '../../support/comets.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'
import { countSteps } from '../../support/steps.ts'

describe('MemoryBroker.presence', () => {
  presenceContract({ describe, it, beforeEach, afterEach }, () => new MemoryBroker().presence)

  it('finds a page of members without sorting all of them', async () => {
    const { presence } = new MemoryBroker()
    const connection = presence.join(presenceNode('node').node)
    const uids = Array.from({ length: 5_000 }, (_, index) => `${(index * 1_009) % 5_000}`)
    for (const uid of uids) await connection.connect({ uid, connection: uid }, [{ rid: 'den', by: 'url' }])
    const inOrder = uids.toSorted()
    for (const limit of [1, 7, 100, 4_999, 5_000, Number.POSITIVE_INFINITY]) {
      for (const at of [0, 1, 2_500, 4_990]) {
        const after = at === 0 ? undefined : inOrder[at - 1]
        const { members } = await connection.members('den', { after, limit })
        assert.deepEqual(
          members.map(({ uid }) => uid),
          inOrder.slice(at, at + limit),
        )
      }
    }
    const steps = await countSteps(() => connection.members('den', { limit: 10 }))
    assert.ok(steps < 2 * uids.length, `${steps}`)
  })

  it('lets a client come back when its grace passed while the process stood still', async () => {
    const clock = FakeTimers.install({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    try {
      const { comet, reported } = makeComet({ offlineGrace: 5_000, heartbeatInterval: 0 })
      const connect = async () => {
        const transport = new MemoryTransport()
        await comet.connect({ identity: 'alice', transport, clientId: 'page' })
        return transport
      }
      const first = await connect()
      const { sid } = first
      first.drop()
      await clock.tickAsync(1_000)
      clock.jump(60_000)
      const second = await connect()
      assert.equal(second.sid, sid)
      assert.deepEqual(reported.length, 1)
      second.drop()
      await clock.tickAsync(5_100)
      assert.equal(await comet.isOnline('alice'), false)
    } finally {
      clock.uninstall()
      await closeComets()
    }
  })
})
