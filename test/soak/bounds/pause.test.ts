import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { scaled, within } from '../../support/inbox.ts'
import { type SpawnedApp, spawnApp } from '../../support/spawn-app.ts'
import { StreamReader } from '../../support/stream-reader.ts'

const INTERVAL_MS = scaled(1_000)
const PAUSE_MS = 4 * INTERVAL_MS
const CLIENTS = 20

const MIB = 1_048_576
/** More than the kernel's buffers hold. */
const EVENTS = 24

describe('A process that stands still for more than three heartbeat intervals', function () {
  this.timeout(scaled(120_000))

  let app: SpawnedApp
  const clients: StreamReader[] = []

  before(async () => {
    app = await spawnApp({ heartbeatInterval: INTERVAL_MS, offlineGrace: 1_000 })
  })
  after(() => {
    for (const { socket } of clients) socket.destroy()
    app?.kill()
  })

  async function connect(user: string): Promise<StreamReader> {
    const client = new StreamReader(app.port, `u=${user}&hb=1`)
    clients.push(client)
    await client.ready()
    return client
  }

  const beatsOf = ({ controls }: StreamReader) =>
    controls.filter(({ name }) => name === 'comet.heartbeat').length

  /** Answers each heartbeat until the stream ends. */
  async function answer(client: StreamReader, user: string): Promise<void> {
    const { sid } = client.control('ready')
    for (let beats = 1; ; beats += 1) {
      const isOver = await client.until((reader) => beatsOf(reader) >= beats, 'a heartbeat').catch(() => true)
      if (isOver) return
      const { status } = await fetch(`http://127.0.0.1:${app.port}/comet/${sid}?u=${user}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: '{"type":"HB"}',
      })
      assert.equal(status, 204, client.controls.at(-1)?.data)
    }
  }

  it('ends no client that answers, and each that does not', async () => {
    const answering = await Promise.all(
      Array.from({ length: CLIENTS }, (_, index) => connect(`user-${index}`)),
    )
    const answers = answering.map((client, index) => answer(client, `user-${index}`))
    for (let pause = 0; pause < 2; pause += 1) {
      app.stop()
      // The length of the pause is what is tested.
      await sleep(PAUSE_MS)
      app.resume()
    }
    const before = answering.map(beatsOf)
    const silent = await connect('silent')
    await within(silent.closed, 'the end of the client that does not answer', scaled(60_000))
    assert.equal(silent.control('close')?.code, 'SILENT')
    const { stats, offline } = await app.ask({ do: 'measure' })
    assert.deepEqual([stats.sessions, stats.closes], [CLIENTS, { SILENT: 1 }])
    assert.ok(offline.count <= 1)
    for (const [index, client] of answering.entries()) {
      assert.ok(beatsOf(client) >= Number(before[index]) + 3)
      client.socket.destroy()
    }
    await Promise.all(answers)
  })

  it('ends no client as too slow that reads what was sent before the pause', async () => {
    const reader = await spawnApp({
      ...{
        heartbeatInterval: 0,
        writeTimeout: INTERVAL_MS,
        maxBufferedBytes: 64 * MIB,
        maxEventBytes: 2 * MIB,
      },
    })
    try {
      const client = new StreamReader(reader.port, 'u=reader&rid=den')
      clients.push(client)
      await client.ready()
      client.socket.pause()
      await reader.ask({ do: 'publish', rid: 'den', from: 0, count: EVENTS, bytes: MIB })
      reader.stop()
      client.socket.resume()
      await sleep(PAUSE_MS)
      assert.ok(client.numbers.length < EVENTS, 'the kernel took all')
      reader.resume()
      await client.until(({ numbers }) => numbers.length === EVENTS, 'all events')
      assert.deepEqual((await reader.ask({ do: 'measure' })).stats.closes, {})
    } finally {
      reader.kill()
    }
  })
})
