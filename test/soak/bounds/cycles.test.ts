import assert from 'node:assert/strict'
import type { Measure } from '../../support/app-process.ts'
import { scaled, until } from '../../support/inbox.ts'
import { reset } from '../../support/reset.ts'
import { type SpawnedApp, spawnApp } from '../../support/spawn-app.ts'
import { StreamReader } from '../../support/stream-reader.ts'
import { figure, sampled } from '../../support/tier.ts'

const KIB = 1_024
const WARM_UP = sampled(6_000, 1_000)
const CYCLES = sampled(30_000, 2_000)
const TOGETHER = 100
/** Garbage collections differ by some hundred KiB, whatever the number of clients. */
const MOST_GROWTH_KIB = sampled(2_048, 1_024)

describe(`Comet.connect: ${CYCLES} clients that connect and leave`, function () {
  this.timeout(scaled(sampled(300_000, 60_000)))

  let app: SpawnedApp
  let baseline: Measure
  let later: Measure
  let position = ''
  let served = 0

  before(async () => {
    // The history is full before the baseline is taken.
    app = await spawnApp({ offlineGrace: 50, historyEvents: 10, historyBytes: 65_536 })
    await cycle(WARM_UP)
    baseline = await settled()
    await cycle(CYCLES)
    later = await settled()
  })
  after(() => app?.kill())

  /** Every two clients are a user in a room of its own. Some have a clientId, some resume. */
  async function cycle(count: number): Promise<void> {
    for (const end = served + count; served < end; served += TOGETHER) {
      await app.ask({ do: 'publish', rid: `room-${served}`, from: 0, count: 2, bytes: 200 })
      const clients = Array.from({ length: TOGETHER }, (_, index) => visit(served + index))
      position = (await Promise.all(clients)).find((id) => id !== undefined) ?? ''
    }
  }

  async function visit(index: number): Promise<string | undefined> {
    const number = index - (index % 2)
    const page = index % 4 < 2 ? `&clientId=page-${number}` : ''
    const heartbeats = index % 5 === 0 ? '&hb=1' : ''
    const query = `u=user-${number}&rid=room-${number}&rid=hall${page}${heartbeats}`
    const reader = new StreamReader(app.port, query, index % 3 === 0 ? { position } : {})
    // Of two clients with the same clientId one may take over the other even before its stream has begun.
    await reader.until((one) => one.control('ready') ?? one.control('close'), 'begun')
    if (index % 7 === 0) reset(reader.socket)
    else reader.socket.destroy()
    await reader.closed
    return reader.lastEventId
  }

  /** Waits until all users are offline. */
  async function settled(): Promise<Measure> {
    let measure: Measure | undefined
    await until(
      async () => {
        measure = await app.ask({ do: 'measure' })
        const { stats, resources, offline } = measure
        const isQuiet = !resources.some((name) => name === 'TCPSocketWrap' || name === 'Timeout')
        return isQuiet && stats.sessions === 0 && offline.count >= served / 2
      },
      'settled',
      scaled(30_000),
    )
    return measure as Measure
  }

  it('are all gone', () => {
    const { sessions, users, rooms, connections, closes } = later.stats
    assert.deepEqual([sessions, users, rooms, connections], [0, 0, 0, WARM_UP + CYCLES])
    assert.equal(Number(closes.GONE) + (closes.TAKEN_OVER ?? 0), WARM_UP + CYCLES)
    assert.deepEqual(later.errors, [])
  })

  it('leave the heap as it was', () => {
    const growth = (later.heap - baseline.heap) / KIB
    figure(`heap after ${WARM_UP} clients`, `${(baseline.heap / KIB).toFixed()} KiB`)
    figure(
      `growth of the heap after ${CYCLES} more`,
      `${growth.toFixed()} KiB of at most ${MOST_GROWTH_KIB} KiB`,
    )
    assert.ok(growth < MOST_GROWTH_KIB, `${growth} KiB`)
  })

  it('leave no handle and no timer', () => {
    assert.deepEqual(later.resources.toSorted(), baseline.resources.toSorted())
  })
})
