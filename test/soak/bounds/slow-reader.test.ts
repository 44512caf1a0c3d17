import assert from 'node:assert/strict'
import { type BoundsHost, Reader, spawnHost } from '../../support/bounds.ts'
import type { Measure } from '../../support/bounds-host.ts'
import { until } from '../../support/inbox.ts'

const MIB = 1_048_576
const FAST = 100
const EVENT_BYTES = 64_000
/** What is published before the last: no reader that goes on reading is ever behind by more. */
const STEP = 8
const WARM_UP = 400
/** 100 MB and some. */
const EVENTS = 1_600

describe(`A reader that stops while 100 MB are published to it and ${FAST} others`, function () {
  this.timeout(180_000)

  let host: BoundsHost
  let baseline: Measure
  let later: Measure
  let slow: Reader
  let again: Reader
  const fast: Reader[] = []
  let most = 0
  let published = 0

  /** Publishes as fast as the fast readers read, and looks at the server all along. */
  async function publish(count: number): Promise<Measure> {
    let measure: Measure | undefined
    for (const end = published + count; published < end; ) {
      measure = await host.ask({
        do: 'publish',
        rid: 'hall',
        from: published,
        count: STEP,
        bytes: EVENT_BYTES,
      })
      published += STEP
      most = Math.max(most, measure.rss)
      for (const reader of fast) await reader.until(({ numbers }) => numbers.length === published, 'told')
    }
    return measure as Measure
  }

  before(async () => {
    host = await spawnHost({ historyBytes: 8 * MIB, offlineGrace: 0 })
    for (let index = 0; index < FAST; index += 1) fast.push(new Reader(host.port, `u=fast-${index}&rid=hall`))
    for (const reader of fast) await reader.ready()
    await publish(WARM_UP)
    slow = new Reader(host.port, 'u=slow&rid=hall')
    await slow.ready()
    baseline = await host.ask({ do: 'measure' })
    most = 0
    slow.socket.pause()
    later = await publish(EVENTS)
    again = new Reader(host.port, 'u=slow&rid=hall', { position: slow.lastEventId })
    await again.ready()
  })
  after(() => {
    for (const reader of [slow, again, ...fast]) reader?.socket.destroy()
    host?.kill()
  })

  it('costs the server less than 20 MB', () => {
    const growth = (most - baseline.rss) / MIB
    console.log(`      ${(baseline.rss / MIB).toFixed()} MiB, and ${growth.toFixed(1)} MiB more at most`)
    assert.ok(growth < 20, `${growth} MiB`)
    assert.ok(later.stats.history.bytes <= 8 * MIB)
  })

  it('is closed as too slow, and nobody else is', () => {
    assert.deepEqual(later.stats.closes, { SLOW: 1 })
    assert.equal(later.stats.sessions, FAST)
  })

  it('comes back to what is left, is told of a gap, and loses nothing from then on', async () => {
    assert.equal(again.control('ready').recovered, false)
    assert.deepEqual(again.control('gap'), { targets: [{ rid: 'hall' }] })
    await again.until(({ numbers }) => numbers.at(-1) === published - 1, 'caught up')
    const first = Number(again.numbers[0])
    assert.ok(first < published - 10, 'some are left')
    assert.deepEqual(again.numbers, range(first, published))
  })

  it('comes back without a gap where it had read up to what is left', async () => {
    const position = again.lastEventId
    again.socket.destroy()
    await until(async () => (await host.ask({ do: 'measure' })).stats.sessions === FAST, 'gone')
    const from = published
    await publish(STEP)
    again = new Reader(host.port, 'u=slow&rid=hall', { position })
    await again.until(({ numbers }) => numbers.at(-1) === published - 1, 'caught up')
    assert.equal(again.control('ready').recovered, true)
    assert.deepEqual(again.numbers, range(from, published))
  })

  it('takes nothing from those that read on', () => {
    for (const { numbers } of fast) assert.deepEqual(numbers, range(0, published))
  })
})

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index)
}
