import assert from 'node:assert/strict'
import { type BoundsHost, Reader, spawnHost } from '../../support/bounds.ts'
import type { Measure } from '../../support/bounds-host.ts'

const STREAMS = 1_000
const STALLED = 10
const DRAIN_MS = 5_000
/** For what is cut at the end to be gone, on a busy machine. */
const MARGIN_MS = 3_000
const SLICES = 10
/** More than the kernel holds of a connection on either side. */
const OWED_BYTES = 48_000_000

describe(`Closing a server with ${STREAMS} open streams, ${STALLED} of them stalled`, function () {
  this.timeout(60_000)

  let host: BoundsHost
  let closed: Measure
  const readers: Reader[] = []
  const ends: number[] = []

  before(async () => {
    host = await spawnHost({ maxEventBytes: OWED_BYTES })
    for (let index = 0; index < STREAMS; index += 1) {
      // Among the others, not the first or the last.
      const stalls = index % (STREAMS / STALLED) === 42
      const reader = new Reader(host.port, `u=user-${index}&rid=${stalls ? 'stalled' : 'hall'}`)
      readers.push(reader)
      if (index % 100 === 99) await Promise.all(readers.map((each) => each.ready()))
      if (stalls) reader.ready().then(() => reader.socket.pause())
    }
    await host.ask({ do: 'publish', rid: 'stalled', from: 0, count: 1, bytes: OWED_BYTES })
    const { stats } = await host.ask({ do: 'measure' })
    assert.equal(stats.sessions, STREAMS)
    const start = performance.now()
    for (const { socket } of readers) socket.once('end', () => ends.push(performance.now() - start))
    closed = await host.ask({ do: 'close', drain: DRAIN_MS })
    const going = readers.filter(({ socket }) => !socket.isPaused())
    await Promise.all(going.map((reader) => reader.closed))
  })
  after(() => {
    for (const { socket } of readers) socket.destroy()
    host?.kill()
  })

  it('takes no longer than the drain time', () => {
    console.log(`      it took ${closed.took.toFixed()} ms of ${DRAIN_MS}`)
    assert.ok(closed.took < DRAIN_MS + MARGIN_MS, `${closed.took} ms`)
  })

  it('tells all who read that they should come back', () => {
    assert.equal(ends.length, STREAMS - STALLED)
    const told = readers.filter((reader) => reader.control('close')?.code === 'SHUTDOWN')
    assert.equal(told.length, STREAMS - STALLED)
    assert.deepEqual(closed.stats.closes, { SHUTDOWN: STREAMS })
    assert.deepEqual(closed.errors, [])
  })

  it('spreads the ends over the drain time, so that not all come back at once', () => {
    const width = Math.max(...ends) / SLICES
    const histogram = Array.from({ length: SLICES }, () => 0)
    for (const end of ends) {
      const slice = Math.min(SLICES - 1, Math.floor(end / width))
      histogram[slice] = Number(histogram[slice]) + 1
    }
    console.log(`      streams ended in each ${width.toFixed()} ms: ${histogram.join(' ')}`)
    for (const count of histogram) assert.ok(count <= 0.3 * ends.length, `${count} in a tenth of the time`)
    assert.ok(width * SLICES > DRAIN_MS / 2, 'no more than half of the time is used')
  })

  it('leaves no connection and no timer', () => {
    const left = closed.resources.filter((name) => /TCP|Timeout|Immediate/.test(name))
    assert.deepEqual(left, [])
  })
})
