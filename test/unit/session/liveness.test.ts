import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import fc from 'fast-check'
import type { CometOptions } from '../../../lib/index.ts'
import { closeComets, makeComet } from '../../support/comets.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'
import { PacedTransport } from '../../support/paced-transport.ts'
import { runs } from '../../support/tier.ts'

const INTERVAL_MS = 1_000
/** How exact the timerWheel is. */
const LATEST_MS = 200

describe('Liveness of a client that answers heartbeats', () => {
  let clock: FakeTimers.Clock
  beforeEach(() => {
    clock = FakeTimers.install({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'],
    })
  })
  afterEach(async () => {
    clock.uninstall()
    await closeComets()
  })

  async function open(options: CometOptions = {}) {
    const { comet } = makeComet({ heartbeatInterval: INTERVAL_MS, ...options })
    const transport = new MemoryTransport()
    await comet.connect({ identity: 'alice', transport, answersHeartbeats: true })
    const answer = () =>
      comet.receive({ sid: transport.sid, identity: 'alice', packet: { type: 'HB' } }) as Promise<unknown>
    return { transport, answer, beats: () => transport.events.filter(isBeat).length }
  }

  it('closes the client three intervals after it was last seen, never earlier', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 3 * INTERVAL_MS - 1 }), { maxLength: 8 }),
        async (pauses) => {
          const { transport, answer } = await open()
          for (const pause of pauses) {
            await clock.tickAsync(pause)
            assert.equal(transport.closed, false)
            await answer()
          }
          await clock.tickAsync(3 * INTERVAL_MS - 1)
          assert.equal(transport.closed, false)
          await clock.tickAsync(LATEST_MS + 1)
          assert.equal(transport.control('close')?.code, 'SILENT')
        },
      ),
      runs(50),
    )
  })

  it('sends a heartbeat in every interval, however late the client answers', async () => {
    const { transport, answer, beats } = await open()
    for (let round = 0; round < 10; round += 1) {
      await clock.tickAsync(2_700)
      await answer()
    }
    assert.equal(transport.closed, false)
    assert.ok(beats() >= 27 * (INTERVAL_MS / (INTERVAL_MS + LATEST_MS)) - 1 && beats() <= 28, `${beats()}`)
  })

  it('does not take the client for silent while it reads, however much waits before the heartbeat', async () => {
    const { comet } = makeComet({ heartbeatInterval: INTERVAL_MS })
    const transport = new PacedTransport()
    await comet.connect({ identity: 'alice', transport, answersHeartbeats: true })
    for (let round = 0; round < 5; round += 1) {
      await clock.tickAsync(2_900)
      transport.read()
      await comet.publish({ evt: 'more' })
      await new Promise(setImmediate)
    }
    assert.equal(transport.closed, false)
    await clock.tickAsync(3 * INTERVAL_MS + LATEST_MS)
    assert.equal(transport.control('close')?.code, 'SILENT')
  })

  it('does not close the client for its age', async () => {
    const { transport, answer } = await open({ maxConnectionAge: 2_000 })
    for (let round = 0; round < 10; round += 1) {
      await clock.tickAsync(INTERVAL_MS)
      await answer()
    }
    assert.equal(transport.closed, false)
  })
})

describe('Liveness of a client that leaves with its first bytes', () => {
  it('keeps no timer', async () => {
    const clock = FakeTimers.install({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'],
    })
    try {
      const { comet } = makeComet({ heartbeatInterval: INTERVAL_MS, offlineGrace: 0 })
      const transport = new (class extends MemoryTransport {
        override open(first: Parameters<MemoryTransport['open']>[0]): boolean {
          const goOn = super.open(first)
          this.drop()
          return goOn
        }
      })()
      await comet.connect({ identity: 'alice', transport })
      assert.deepEqual([comet.stats().sessions, clock.countTimers()], [0, 0])
    } finally {
      clock.uninstall()
      await closeComets()
    }
  })
})

function isBeat({ event }: { readonly event?: string | undefined }): boolean {
  return event === 'comet.heartbeat'
}
