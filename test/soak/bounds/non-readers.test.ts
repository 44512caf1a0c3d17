import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Measure } from '../../support/app-process.ts'
import { scaled } from '../../support/inbox.ts'
import { type SpawnedApp, spawnApp } from '../../support/spawn-app.ts'
import { StreamReader } from '../../support/stream-reader.ts'
import { figure, sampled } from '../../support/tier.ts'

const MIB = 1_048_576
const READERS = sampled(300, 60)

describe('Readers that read nothing', function () {
  this.timeout(scaled(sampled(300_000, 60_000)))

  let app: SpawnedApp
  const readers: StreamReader[] = []

  afterEach(() => {
    for (const { socket } of readers.splice(0)) socket.destroy()
    app.kill()
  })

  async function connect(user: string): Promise<StreamReader> {
    const reader = new StreamReader(app.port, `u=${user}`)
    readers.push(reader)
    await reader.ready()
    reader.socket.pause()
    return reader
  }

  const inUse = ({ heap, buffers }: Measure) => heap + buffers

  for (const [count, bytes] of [
    [6, 1_000_000],
    [sampled(600, 100), 10_000],
  ] as const) {
    const what = `${count} events of ${bytes} bytes to the world and one of its own to each`
    it(`hold little beside the events: ${READERS} readers, ${what}`, async () => {
      app = await spawnApp({ heartbeatInterval: 0 })
      for (let index = 0; index < READERS; index += 1) await connect(`reader-${index}`)
      const baseline = inUse(await app.ask({ do: 'measure' }))
      let most = inUse(await app.ask({ do: 'burst', count, bytes, readers: READERS }))
      // The app answers between two slices of its writes.
      for (let times = 0; times < 20; times += 1) {
        await sleep(100)
        most = Math.max(most, inUse(await app.ask({ do: 'measure' })))
      }
      const growth = most - baseline
      figure('memory of the app', `at most ${(growth / MIB).toFixed(1)} MiB more`)
      // An event is in the history as text and as a frame. Each reader may hold a piece of 80 KiB, and some objects.
      assert.ok(growth < 4 * count * bytes + READERS * 150_000, `${growth} bytes`)
    })
  }

  it('hold nothing of rooms that they join for their past and leave', async () => {
    const rounds = sampled(500, 60)
    app = await spawnApp({ heartbeatInterval: 0, packetRate: 1_000_000, historyRate: 2_000_000_000 })
    for (const [index, rid] of ['den', 'attic', 'hall'].entries()) {
      await app.ask({ do: 'publish', rid, from: index, count: 1_000, bytes: 2_000 })
    }
    const reader = await connect('reader-0')
    const { sid } = reader.control('ready')
    const post = async (type: 'JOIN' | 'LEAVE', fields: object) => {
      const body = JSON.stringify({ type, [type.toLowerCase()]: fields })
      const headers = { 'content-type': 'application/json' }
      const url = `http://127.0.0.1:${app.port}/comet/${sid}?u=reader-0`
      const { status } = await fetch(url, { method: 'POST', headers, body })
      assert.equal(status, 204)
    }
    const turn = async (round: number) => {
      for (const rid of ['den', 'attic', 'hall']) await post('JOIN', { rid, recent: 1_000 })
      if (round % 10 === 0) await app.ask({ do: 'burst', count: 0, bytes: 0, readers: 1 })
      for (const rid of ['den', 'attic', 'hall']) await post('LEAVE', { rid })
    }
    for (let round = 0; round < 20; round += 1) await turn(round)
    const before = await app.ask({ do: 'measure' })
    for (let round = 0; round < rounds; round += 1) await turn(round)
    const after = await app.ask({ do: 'measure' })
    const growth = inUse(after) - inUse(before)
    figure('memory of the app', `${(growth / MIB).toFixed(1)} MiB more after ${3 * rounds} joins`)
    // The bound of a session is maxBufferedBytes. Before, each join held 1,000 items of at least 50 bytes.
    assert.ok(
      growth < 2 * MIB + 2 * (after.stats.history.bytes - before.stats.history.bytes),
      `${growth} bytes`,
    )
    assert.deepEqual(after.stats.closes, {})
  })
})
