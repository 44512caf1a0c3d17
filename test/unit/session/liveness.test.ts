import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import fc from 'fast-check'
import type { CometOptions, Identified } from '../../../lib/index.ts'
import { closeComets, makeComet } from '../../support/comets.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'
import { PacedTransport } from '../../support/paced-transport.ts'
import { runs } from '../../support/tier.ts'

const INTERVAL_MS = 1_000
/** How exact the TimerWheel is. */
const LATEST_MS = 200

describe('Liveness', () => {
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

  async function open(options: CometOptions, identity: Identified = 'alice', answersHeartbeats = false) {
    const { comet } = makeComet(options)
    const transport = new MemoryTransport()
    await comet.connect({ identity, transport, answersHeartbeats })
    return { comet, transport, pass: async (ms: number) => void (await clock.tickAsync(ms)) }
  }

  it('closes a client that answers heartbeats after three silent intervals', async () => {
    const { comet, transport, pass } = await open({ maxConnectionAge: 0 }, 'alice', true)
    await pass(40_000)
    await comet.receive({ sid: transport.sid, identity: 'alice', packet: { type: 'HB' } })
    await pass(44_900)
    assert.equal(transport.closed, false)
    await pass(15_300)
    assert.equal(transport.control('close')?.code, 'SILENT')
    assert.equal(comet.stats().sessions, 0)
  })

  it('closes any other client at 80 to 100 % of maxConnectionAge', async () => {
    const { transport, pass } = await open({ maxConnectionAge: 100_000 })
    await pass(79_900)
    assert.equal(transport.closed, false)
    await pass(20_300)
    assert.equal(transport.control('close')?.code, 'AGED')
    assert.equal(transport.control('close')?.reconnect, true)
  })

  it('closes neither without heartbeatInterval and maxConnectionAge', async () => {
    const { transport, pass } = await open({ maxConnectionAge: 0, heartbeatInterval: 0 }, 'alice', true)
    await pass(24 * 3_600_000)
    assert.equal(transport.closed, false)
  })

  it('closes a session when its identity expires', async () => {
    const expiresAt = Date.now() + 3_600_000
    const { transport, pass } = await open({ maxConnectionAge: 0 }, { uid: 'alice', expiresAt })
    // The wall clock is real and goes on meanwhile. A minute is more than enough for that.
    await pass(3_540_000)
    assert.equal(transport.closed, false)
    await pass(60_200)
    assert.equal(transport.control('close')?.code, 'EXPIRED')
  })

  it('sends one heartbeat in every interval', async () => {
    const { transport, pass } = await open({ maxConnectionAge: 0 })
    const beats = () => transport.events.filter(({ event }) => event === 'comet.heartbeat').length
    await pass(15_100)
    assert.ok(beats() >= 1)
    await pass(150_000)
    // The first heartbeat comes at a random time within an interval.
    assert.ok(beats() >= 10 && beats() <= 12, `${beats()}`)
  })

  describe('of a client that answers heartbeats', () => {
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

  it('keeps no timer of a client that leaves with its first bytes', async () => {
    const { comet } = makeComet({ heartbeatInterval: INTERVAL_MS, offlineGrace: 0 })
    const transport = new (class extends MemoryTransport {
      override open(first: Parameters<MemoryTransport['open']>[0]): boolean {
        const takesMore = super.open(first)
        this.drop()
        return takesMore
      }
    })()
    await comet.connect({ identity: 'alice', transport })
    assert.deepEqual([comet.stats().sessions, clock.countTimers()], [0, 0])
  })
})

function isBeat({ event }: { readonly event?: string | undefined }): boolean {
  return event === 'comet.heartbeat'
}
