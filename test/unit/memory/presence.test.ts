import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import { MemoryBroker } from '../../../lib/index.ts'
import { presenceContract } from '../../contracts/presence.ts'
import { closeComets, makeComet } from '../../support/comets.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'

describe('MemoryBroker.presence', () => {
  presenceContract({ describe, it, beforeEach, afterEach }, () => new MemoryBroker().presence)

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
