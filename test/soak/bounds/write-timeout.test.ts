import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { type BoundsHost, Reader, spawnHost } from '../../support/bounds.ts'
import { until } from '../../support/inbox.ts'

/** More than the kernel holds of a connection on either side. */
const EVENT_BYTES = 64_000_000
const TIMEOUT_MS = 1_000

describe('writeTimeout', function () {
  this.timeout(60_000)

  let host: BoundsHost
  let reader: Reader

  beforeEach(async () => {
    host = await spawnHost({
      writeTimeout: TIMEOUT_MS,
      maxEventBytes: EVENT_BYTES,
      heartbeatInterval: 0,
      offlineGrace: 0,
    })
    reader = new Reader(host.port, 'u=alice&rid=hall')
    await reader.ready()
    reader.socket.pause()
  })
  afterEach(() => {
    reader.socket.destroy()
    host.kill()
  })

  const publish = () => host.ask({ do: 'publish', rid: 'hall', from: 7, count: 1, bytes: EVENT_BYTES })
  const stats = async () => (await host.ask({ do: 'measure' })).stats

  it('closes a reader that stopped, though a single event is all it is owed', async () => {
    const { stats: early } = await publish()
    assert.equal(early.sessions, 1)
    await until(async () => (await stats()).sessions === 0, 'closed', 10 * TIMEOUT_MS)
    assert.deepEqual((await stats()).closes, { SLOW: 1 })
  })

  it('closes none that reads slowly but steadily, for however long', async () => {
    await publish()
    const start = performance.now()
    while (reader.numbers.length === 0) {
      // What is at hand, a few hundred kilobytes, then a pause.
      reader.socket.resume()
      await Promise.race([new Promise((resolve) => reader.socket.once('data', resolve)), sleep(1_000)])
      reader.socket.pause()
      await sleep(5)
    }
    const took = performance.now() - start
    console.log(`      it read for ${took.toFixed()} ms`)
    assert.ok(took > 2 * TIMEOUT_MS, `${took} ms`)
    assert.deepEqual(reader.numbers, [7])
    reader.socket.resume()
    const { sessions, closes } = await stats()
    assert.deepEqual([sessions, closes], [1, {}])
  })

  it('does not run while nothing is owed', async () => {
    reader.socket.resume()
    await publish()
    await reader.until(({ numbers }) => numbers.length === 1, 'told')
    await sleep(3 * TIMEOUT_MS)
    assert.equal((await stats()).sessions, 1)
  })
})
