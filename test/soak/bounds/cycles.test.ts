import assert from 'node:assert/strict'
import { type BoundsHost, Reader, spawnHost } from '../../support/bounds.ts'
import type { Measure } from '../../support/bounds-host.ts'
import { until } from '../../support/inbox.ts'

const MIB = 1_048_576
const WARM_UP = 6_000
const CYCLES = 20_000
const TOGETHER = 100

describe(`${CYCLES} clients that came and went`, function () {
  this.timeout(180_000)

  let host: BoundsHost
  let baseline: Measure
  let later: Measure
  let position = ''
  let served = 0

  before(async () => {
    // What is kept is full before the baseline is taken.
    host = await spawnHost({ offlineGrace: 50, historyEvents: 10, historyBytes: 65_536 })
    await cycle(WARM_UP)
    baseline = await settled()
    await cycle(CYCLES)
    later = await settled()
  })
  after(() => host?.kill())

  /** Every client is another user in a room of its own; many come twice, some with a page or where they were. */
  async function cycle(count: number): Promise<void> {
    for (const end = served + count; served < end; served += TOGETHER) {
      await host.ask({ do: 'publish', rid: `room-${served}`, from: 0, count: 2, bytes: 200 })
      const clients = Array.from({ length: TOGETHER }, (_, index) => visit(served + index))
      position = (await Promise.all(clients)).find((id) => id !== undefined) ?? ''
    }
  }

  async function visit(index: number): Promise<string | undefined> {
    const number = index - (index % 2)
    const page = index % 4 < 2 ? `&clientId=page-${number}` : ''
    const heartbeats = index % 5 === 0 ? '&hb=1' : ''
    const query = `u=user-${number}&rid=room-${number}&rid=hall${page}${heartbeats}`
    const reader = new Reader(host.port, query, index % 3 === 0 ? { position } : {})
    // Of two with the same page the one may have taken over the other, even before that began.
    await reader.until((one) => one.control('ready') ?? one.control('close'), 'begun')
    if (index % 7 === 0) reader.socket.resetAndDestroy()
    else reader.socket.destroy()
    await reader.closed
    return reader.lastEventId
  }

  /** When all who came are offline. */
  async function settled(): Promise<Measure> {
    let measure: Measure | undefined
    await until(async () => {
      measure = await host.ask({ do: 'measure' })
      const { stats, resources, offline } = measure
      const isQuiet = !resources.some((name) => name === 'TCPSocketWrap' || name === 'Timeout')
      return isQuiet && stats.sessions === 0 && offline.count >= served / 2
    }, 'settled')
    return measure as Measure
  }

  it('are all gone', () => {
    const { sessions, users, rooms, connections, closes } = later.stats
    assert.deepEqual([sessions, users, rooms, connections], [0, 0, 0, WARM_UP + CYCLES])
    assert.equal(Number(closes.GONE) + (closes.TAKEN_OVER ?? 0), WARM_UP + CYCLES)
    assert.deepEqual(later.errors, [])
  })

  it('leave the heap as it was', () => {
    const growth = (later.heap - baseline.heap) / MIB
    console.log(`      ${(baseline.heap / MIB).toFixed(1)} MiB, and ${growth.toFixed(2)} MiB more later`)
    assert.ok(Math.abs(growth) < 2, `${growth} MiB`)
  })

  it('leave no handle and no timer', () => {
    assert.deepEqual(later.resources.toSorted(), baseline.resources.toSorted())
  })
})
