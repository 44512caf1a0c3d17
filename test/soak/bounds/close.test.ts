import assert from 'node:assert/strict'
import type { Measure } from '../../support/app-process.ts'
import { scaled } from '../../support/inbox.ts'
import { type SpawnedApp, spawnApp } from '../../support/spawn-app.ts'
import { StreamReader } from '../../support/stream-reader.ts'
import { figure, isSoak, sampled } from '../../support/tier.ts'

const STREAMS = sampled(1_000, 200)
/** Every hundredth or, in a sample, every fiftieth client stops reading. */
const STALLED = sampled(10, 4)
const DRAIN_MS = sampled(5_000, 1_000)
/** What a machine that does nothing else needs beside, to cut the connections at the end. */
const MARGIN_MS = 3_000
const SLICES = 10
/** More than the kernel buffers of a connection on both sides. */
const EVENT_BYTES = sampled(48_000_000, 24_000_000)

describe(`Comet.close with ${STREAMS} open streams, ${STALLED} of them stalled`, function () {
  this.timeout(scaled(60_000))

  let app: SpawnedApp
  let closed: Measure
  const readers: StreamReader[] = []
  const ends: number[] = []

  before(async () => {
    app = await spawnApp({ maxEventBytes: EVENT_BYTES })
    for (let index = 0; index < STREAMS; index += 1) {
      // Among the others, not the first or the last.
      const stalls = index % (STREAMS / STALLED) === 42
      const reader = new StreamReader(app.port, `u=user-${index}&rid=${stalls ? 'stalled' : 'hall'}`)
      readers.push(reader)
      if (stalls) reader.ready().then(() => reader.socket.pause())
      if (index % 100 === 99) await Promise.all(readers.map((each) => each.ready()))
    }
    await app.ask({ do: 'publish', rid: 'stalled', from: 0, count: 1, bytes: EVENT_BYTES })
    const { stats } = await app.ask({ do: 'measure' })
    assert.equal(stats.sessions, STREAMS)
    const start = performance.now()
    for (const { socket } of readers) socket.once('end', () => ends.push(performance.now() - start))
    closed = await app.ask({ do: 'close', drain: DRAIN_MS })
    const reading = readers.filter(({ socket }) => !socket.isPaused())
    await Promise.all(reading.map((reader) => reader.closed))
  })
  after(() => {
    for (const { socket } of readers) socket.destroy()
    app?.kill()
  })

  it('settles, although some clients do not read', () => {
    figure('Comet.close took', `${closed.took.toFixed()} ms of a drain time of ${DRAIN_MS} ms`)
    assert.deepEqual(closed.stats.sessions, 0)
    if (isSoak) assert.ok(closed.took < scaled(DRAIN_MS + MARGIN_MS), `${closed.took} ms`)
  })

  it('tells every client that reads to reconnect', () => {
    assert.equal(ends.length, STREAMS - STALLED)
    const told = readers.filter((reader) => reader.control('close')?.code === 'SHUTDOWN')
    assert.equal(told.length, STREAMS - STALLED)
    assert.deepEqual(closed.stats.closes, { SHUTDOWN: STREAMS })
    assert.deepEqual(closed.errors, [])
  })

  it('spreads the ends over the drain time, so that not all clients reconnect at once', () => {
    const width = Math.max(...ends) / SLICES
    const histogram = Array.from({ length: SLICES }, () => 0)
    for (const end of ends) {
      const slice = Math.min(SLICES - 1, Math.floor(end / width))
      histogram[slice] = Number(histogram[slice]) + 1
    }
    figure(`streams ended in each ${width.toFixed()} ms`, histogram.join(' '))
    // test/unit/operations/close.test.ts checks the spread in any case, with a fake clock.
    if (!isSoak) return
    for (const count of histogram) assert.ok(count <= 0.3 * ends.length, `${count} in a tenth of the time`)
    assert.ok(width * SLICES > DRAIN_MS / 2, 'no more than half of the time is used')
  })

  it('leaves no connection and no timer', () => {
    const left = closed.resources.filter((name) => /TCP|Timeout|Immediate/.test(name))
    assert.deepEqual(left, [])
  })
})
