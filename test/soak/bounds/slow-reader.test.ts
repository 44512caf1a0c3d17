import assert from 'node:assert/strict'
import type { Measure } from '../../support/app-process.ts'
import { scaled, until } from '../../support/inbox.ts'
import { type SpawnedApp, spawnApp } from '../../support/spawn-app.ts'
import { StreamReader } from '../../support/stream-reader.ts'
import { figure, sampled } from '../../support/tier.ts'

const MIB = 1_048_576
const EVENT_BYTES = 64_000
const FAST = sampled(100, 10)
/** What is published at a time: no reader that reads on is ever further behind. */
const STEP = 8
const WARM_UP = sampled(400, 200)
const EVENTS = sampled(1_600, 640)
const TOTAL_MB = (EVENTS * EVENT_BYTES) / 1_000_000

describe(`CometOptions.maxBufferedBytes: a reader that stops while ${TOTAL_MB.toFixed()} MB are published to it and ${FAST} others`, function () {
  this.timeout(scaled(sampled(300_000, 60_000)))

  let app: SpawnedApp
  let baseline: Measure
  let later: Measure
  let slow: StreamReader
  let again: StreamReader
  const fast: StreamReader[] = []
  let most = 0
  let published = 0

  /** Publishes as fast as the fast readers read, and measures the app all along. */
  async function publish(count: number): Promise<Measure> {
    let measure: Measure | undefined
    for (const end = published + count; published < end; ) {
      measure = await app.ask({
        do: 'publish',
        rid: 'hall',
        from: published,
        count: STEP,
        bytes: EVENT_BYTES,
      })
      published += STEP
      most = Math.max(most, measure.rss)
      for (const reader of fast) {
        await reader.until(({ numbers }) => numbers.length === published, 'up to date')
      }
    }
    return measure as Measure
  }

  before(async () => {
    app = await spawnApp({ historyBytes: 8 * MIB, offlineGrace: 0 })
    for (let index = 0; index < FAST; index += 1) {
      fast.push(new StreamReader(app.port, `u=fast-${index}&rid=hall`))
    }
    for (const reader of fast) await reader.ready()
    await publish(WARM_UP)
    slow = new StreamReader(app.port, 'u=slow&rid=hall')
    await slow.ready()
    baseline = await app.ask({ do: 'measure' })
    most = 0
    slow.socket.pause()
    later = await publish(EVENTS)
    again = new StreamReader(app.port, 'u=slow&rid=hall', { position: slow.lastEventId })
    await again.ready()
  })
  after(() => {
    for (const reader of [slow, again, ...fast]) reader?.socket.destroy()
    app?.kill()
  })

  it('costs the app less than 20 MiB', () => {
    const growth = (most - baseline.rss) / MIB
    figure(
      'memory of the app',
      `${(baseline.rss / MIB).toFixed()} MiB, and at most ${growth.toFixed(1)} more`,
    )
    assert.ok(growth < 20, `${growth} MiB`)
    assert.ok(later.stats.history.bytes <= 8 * MIB)
  })

  it('is closed as too slow, and nobody else is', () => {
    assert.deepEqual(later.stats.closes, { SLOW: 1 })
    assert.equal(later.stats.sessions, FAST)
  })

  it('reconnects to a gap and the rest of the history, and loses nothing from then on', async () => {
    assert.equal(again.control('ready').recovered, false)
    assert.deepEqual(again.control('gap'), { targets: [{ rid: 'hall' }] })
    await again.until(({ numbers }) => numbers.at(-1) === published - 1, 'up to date')
    const first = Number(again.numbers[0])
    assert.ok(first < published - 10, 'some events are left')
    assert.deepEqual(again.numbers, range(first, published))
  })

  it('reconnects without a gap after it had read up to the history', async () => {
    const position = again.lastEventId
    again.socket.destroy()
    await until(async () => (await app.ask({ do: 'measure' })).stats.sessions === FAST, 'gone')
    const from = published
    await publish(STEP)
    again = new StreamReader(app.port, 'u=slow&rid=hall', { position })
    await again.until(({ numbers }) => numbers.at(-1) === published - 1, 'up to date')
    assert.equal(again.control('ready').recovered, true)
    assert.deepEqual(again.numbers, range(from, published))
  })

  it('costs the other readers no event', () => {
    for (const { numbers } of fast) assert.deepEqual(numbers, range(0, published))
  })
})

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index)
}
