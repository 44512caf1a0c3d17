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
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance', 'Date'],
      // In the past: time stamps of the process never go back, not even after a test that sets the clock.
      now: Date.now() - 200_000 * 3_600_000,
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

  it('closes a client that answers heartbeats when it left three of them unanswered', async () => {
    const { comet, transport, pass } = await open({ maxConnectionAge: 0 }, 'alice', true)
    await pass(40_000)
    await comet.receive({ sid: transport.sid, identity: 'alice', packet: { type: 'HB' } })
    await pass(44_900)
    assert.equal(transport.closed, false)
    await pass(16_000)
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
    await pass(3_599_900)
    assert.equal(transport.closed, false)
    await pass(300)
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

    it('closes the client when it left three heartbeats unanswered for an interval each, never earlier', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.integer({ min: 1, max: 3 * INTERVAL_MS - 1 }), { maxLength: 8 }),
          async (pauses) => {
            const { transport, answer, beats } = await open()
            for (const pause of pauses) {
              await clock.tickAsync(pause)
              assert.equal(transport.closed, false)
              await answer()
            }
            await clock.tickAsync(3 * INTERVAL_MS - 1)
            assert.equal(transport.closed, false)
            const sent = beats()
            await clock.tickAsync(INTERVAL_MS + 4 * LATEST_MS)
            assert.equal(transport.control('close')?.code, 'SILENT')
            assert.ok(beats() - sent <= 1)
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
      await clock.tickAsync(4 * (INTERVAL_MS + LATEST_MS))
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

  describe('when the process stood still', () => {
    async function open(options: CometOptions, identity: Identified = 'alice') {
      const { comet } = makeComet({ heartbeatInterval: INTERVAL_MS, ...options })
      const transport = new MemoryTransport()
      await comet.connect({ identity, transport, answersHeartbeats: true })
      return {
        transport,
        beats: () => transport.events.filter(isBeat).length,
        answer: () =>
          comet.receive({ sid: transport.sid, identity, packet: { type: 'HB' } }) as Promise<unknown>,
      }
    }

    it('ends no client that answers, whenever the process stopped and however often', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.record({ run: fc.nat(4_000), pause: fc.integer({ min: 1_000, max: 60_000 }) }), {
            minLength: 1,
            maxLength: 8,
          }),
          async (pauses) => {
            const { transport, answer, beats } = await open({})
            let answered = 0
            const answerAll = async () => {
              for (; answered < beats(); answered += 1) await answer()
            }
            for (const { run, pause } of pauses) {
              // The answers of the last half second before a pause are not read before it.
              for (let ms = 0; ms < run; ms += 100) {
                await clock.tickAsync(100)
                if (ms < run - 500) await answerAll()
              }
              clock.jump(pause)
              assert.equal(transport.closed, false)
              await new Promise(setImmediate)
              await answerAll()
            }
          },
        ),
        runs(50),
      )
    })

    it('gives each client one more heartbeat and its interval, and ends it then when it does not answer', async () => {
      const { transport, beats } = await open({})
      await clock.tickAsync(2_950)
      const before = beats()
      clock.jump(10_000)
      await new Promise(setImmediate)
      assert.deepEqual([transport.closed, beats()], [false, before + 1])
      await clock.tickAsync(INTERVAL_MS - 200)
      assert.equal(transport.closed, false)
      await clock.tickAsync(3 * (INTERVAL_MS + LATEST_MS))
      assert.equal(transport.control('close')?.code, 'SILENT')
    })

    it('ends a client that does not answer even when every heartbeat comes late', async () => {
      const { transport, beats } = await open({})
      for (let pause = 0; pause < 7; pause += 1) {
        clock.jump(5_000)
        await new Promise(setImmediate)
      }
      assert.equal(transport.control('close')?.code, 'SILENT')
      assert.ok(beats() <= 6, `${beats()}`)
    })

    it('spreads the ends of connections that grew old meanwhile', async () => {
      const { comet } = makeComet({ heartbeatInterval: 0, maxConnectionAge: 100_000 })
      const transports = Array.from({ length: 100 }, () => new MemoryTransport())
      await Promise.all(
        transports.map((transport, index) => comet.connect({ identity: `user-${index}`, transport })),
      )
      clock.jump(1_000_000)
      const open = () => transports.filter(({ closed }) => !closed).length
      assert.equal(open(), 100)
      await clock.tickAsync(10_000)
      assert.ok(open() > 20 && open() < 80, `${open()}`)
      await clock.tickAsync(10_200)
      assert.equal(open(), 0)
    })

    it('ends a session at once whose identity expired meanwhile', async () => {
      const { transport } = await open({}, { uid: 'alice', expiresAt: Date.now() + 60_000 })
      clock.jump(60_100)
      assert.equal(transport.control('close')?.code, 'EXPIRED')
    })
  })

  describe('when the wall clock is set', () => {
    const HOUR_MS = 3_600_000

    it('forwards, ends a session within a second whose identity has expired by it', async () => {
      const { transport, pass } = await open(
        { maxConnectionAge: 0 },
        { uid: 'alice', expiresAt: Date.now() + HOUR_MS },
      )
      await pass(10_000)
      clock.setSystemTime(Date.now() + HOUR_MS)
      await pass(1_200)
      assert.equal(transport.control('close')?.code, 'EXPIRED')
    })

    it('forwards by years, takes no longer for it', async () => {
      const { transport, pass } = await open(
        { maxConnectionAge: 0 },
        { uid: 'alice', expiresAt: Date.now() + HOUR_MS },
      )
      clock.setSystemTime(Date.now() + 100_000 * HOUR_MS)
      await pass(1_200)
      assert.equal(transport.control('close')?.code, 'EXPIRED')
    })

    it('backwards, ends the session when its identity expires by it and not before', async () => {
      const expiresAt = Date.now() + HOUR_MS
      const { comet, transport, pass } = await open({ maxConnectionAge: 0 }, { uid: 'alice', expiresAt })
      await pass(10_000)
      clock.setSystemTime(Date.now() - 10 * HOUR_MS)
      const other = new MemoryTransport()
      await comet.connect({ identity: { uid: 'bob', expiresAt: Date.now() + HOUR_MS }, transport: other })
      await pass(HOUR_MS - 200)
      assert.deepEqual([transport.closed, other.closed], [false, false])
      await pass(400)
      assert.deepEqual([transport.closed, other.control('close')?.code], [false, 'EXPIRED'])
      await pass(expiresAt - Date.now() - 100)
      assert.equal(transport.closed, false)
      await pass(300)
      assert.equal(transport.control('close')?.code, 'EXPIRED')
    })

    it('does nothing to ages and heartbeats', async () => {
      const { comet } = makeComet({ heartbeatInterval: INTERVAL_MS, maxConnectionAge: HOUR_MS })
      const [plain, answering] = [new MemoryTransport(), new MemoryTransport()]
      await comet.connect({ identity: 'alice', transport: plain })
      await comet.connect({ identity: 'bob', transport: answering, answersHeartbeats: true })
      for (const step of [100, -200]) {
        clock.setSystemTime(Date.now() + step * HOUR_MS)
        await clock.tickAsync(1_500)
        await comet.receive({ sid: answering.sid, identity: 'bob', packet: { type: 'HB' } })
      }
      assert.deepEqual([plain.closed, answering.closed], [false, false])
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
