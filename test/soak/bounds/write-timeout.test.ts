import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { scaled, until } from '../../support/inbox.ts'
import { type SpawnedApp, spawnApp } from '../../support/spawn-app.ts'
import { StreamReader } from '../../support/stream-reader.ts'
import { figure, sampled } from '../../support/tier.ts'

/** More than the kernel buffers of a connection on both sides. */
const EVENT_BYTES = sampled(64_000_000, 24_000_000)
const TIMEOUT_MS = scaled(1_000)
/** How long the steady reader takes for the event. */
const READING_MS = 3 * TIMEOUT_MS

describe('CometOptions.writeTimeout', function () {
  this.timeout(scaled(60_000))

  let app: SpawnedApp
  let reader: StreamReader

  beforeEach(async () => {
    app = await spawnApp({
      writeTimeout: TIMEOUT_MS,
      maxEventBytes: EVENT_BYTES,
      heartbeatInterval: 0,
      offlineGrace: 0,
    })
    reader = new StreamReader(app.port, 'u=alice&rid=hall')
    await reader.ready()
    reader.socket.pause()
  })
  afterEach(() => {
    reader.socket.destroy()
    app.kill()
  })

  const publish = () => app.ask({ do: 'publish', rid: 'hall', from: 7, count: 1, bytes: EVENT_BYTES })
  const stats = async () => (await app.ask({ do: 'measure' })).stats

  it('closes a reader that stopped, even if a single event waits for it', async () => {
    await publish()
    await until(async () => (await stats()).sessions === 0, 'closed', scaled(30_000))
    assert.deepEqual((await stats()).closes, { SLOW: 1 })
  })

  it('does not close a reader that reads slowly but steadily', async () => {
    await publish()
    const start = performance.now()
    while (reader.numbers.length === 0) {
      // Reads what has arrived, some hundred kilobytes, and pauses until it is time for more.
      reader.socket.resume()
      await Promise.race([new Promise((resolve) => reader.socket.once('data', resolve)), sleep(TIMEOUT_MS)])
      reader.socket.pause()
      const due = start + (reader.bytes / EVENT_BYTES) * READING_MS
      await sleep(Math.max(1, due - performance.now()))
    }
    figure('time of reading', `${(performance.now() - start).toFixed()} ms, at a timeout of ${TIMEOUT_MS} ms`)
    assert.deepEqual(reader.numbers, [7])
    reader.socket.resume()
    const { sessions, closes } = await stats()
    assert.deepEqual([sessions, closes], [1, {}])
  })

  it('does not run while no write waits', async () => {
    reader.socket.resume()
    await publish()
    await reader.until(({ numbers }) => numbers.length === 1, 'up to date')
    await sleep(2 * TIMEOUT_MS)
    assert.equal((await stats()).sessions, 1)
  })
})
