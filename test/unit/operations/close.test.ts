import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import type { Comet, CometError } from '../../../lib/index.ts'
import { closeComets, connect, makeComet } from '../../support/comets.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'

describe('Comet.close', () => {
  afterEach(closeComets)

  for (const drain of [-1, Number.NaN, Number.POSITIVE_INFINITY, 3e9, '100', null]) {
    it(`refuses a drain of ${drain}, and closes nothing`, async () => {
      const { comet } = makeComet()
      const alice = await connect(comet, 'alice')
      await assert.rejects(comet.close({ drain: drain as number }), {
        code: 'INVALID_OPTION',
        message: /drain/,
      })
      assert.equal(alice.closed, false)
    })
  }

  it('reports LEAVE_ROOM and OFFLINE, tells the clients, and is idempotent', async () => {
    const { comet, reported } = makeComet({ offlineGrace: 60_000 })
    const alice = await connect(comet, 'alice', 'den')
    const gone = await connect(comet, 'bob')
    gone.drop()
    reported.splice(0)
    const closed = comet.close()
    assert.equal(comet.close(), closed)
    await closed
    assert.deepEqual(reported.sort(), ['LEAVE_ROOM alice den', 'OFFLINE alice', 'OFFLINE bob'])
    assert.equal(alice.control('close')?.code, 'SHUTDOWN')
    assert.equal(alice.control('close')?.reconnect, true)
    assert.ok(alice.closed)
  })

  describe('with a drain time', () => {
    let clock: FakeTimers.Clock
    beforeEach(() => {
      clock = FakeTimers.install({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    })
    afterEach(() => clock.uninstall())

    /** Connects a client that records when its stream is ended. */
    async function connectTimed(comet: Comet, uid: string, ends: number[]): Promise<MemoryTransport> {
      const transport = new MemoryTransport()
      transport.end = () => {
        ends.push(performance.now())
        transport.drop()
      }
      await comet.connect({ identity: uid, transport })
      return transport
    }

    it('spreads the ends of many streams over it', async () => {
      const { comet } = makeComet()
      const ends: number[] = []
      await Promise.all(
        Array.from({ length: 1_000 }, (_, index) => connectTimed(comet, `user-${index}`, ends)),
      )
      const closed = comet.close({ drain: 5_000 })
      await clock.tickAsync(5_000)
      await closed
      assert.equal(ends.length, 1_000)
      const tenths = Array.from({ length: 10 }, (_, tenth) =>
        ends.filter((end) => end >= tenth * 400 && end < (tenth + 1) * 400),
      )
      // 50 at a time over four fifths of the time: the rest is for what is still to be sent.
      assert.deepEqual(
        tenths.map((some) => some.length),
        Array(10).fill(100),
      )
    })

    it('cuts a client that takes too long', async () => {
      const { comet } = makeComet()
      const stalled = new MemoryTransport()
      stalled.end = () => {}
      await comet.connect({ identity: 'alice', transport: stalled })
      const closed = comet.close({ drain: 5_000 })
      await clock.tickAsync(4_999)
      assert.equal(stalled.closed, false)
      await clock.tickAsync(1)
      await closed
      assert.ok(stalled.closed)
    })

    it('settles with the last stream, and not later', async () => {
      const { comet } = makeComet()
      const ends: number[] = []
      await connectTimed(comet, 'alice', ends)
      await comet.close({ drain: 5_000 })
      assert.deepEqual([ends, performance.now()], [[0], 0])
    })
  })

  it('gives newcomers a temporary error', async () => {
    const { comet } = makeComet()
    await comet.close()
    await assert.rejects(connect(comet, 'alice'), (error: CometError) => error.temporary)
  })
})
