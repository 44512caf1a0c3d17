import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Measure } from '../../support/app-process.ts'
import { scaled, until } from '../../support/inbox.ts'
import { Namespaces } from '../../support/namespaces.ts'
import { type SpawnedApp, spawnApp } from '../../support/spawn-app.ts'
import { figure, isSoak, sampled } from '../../support/tier.ts'

const CLIENT = fileURLToPath(new URL('../../support/half-open-client.ts', import.meta.url))

const INTERVAL_MS = scaled(sampled(1_000, 500))
const AGE_MS = 3 * INTERVAL_MS
const GRACE_MS = 500
/** The answer to a heartbeat comes late, so that the silence does not begin with a heartbeat. */
const DISTANCE_MS = 0.4 * INTERVAL_MS
/** How late the app may be: less than an interval, or the bound would show nothing. */
const MARGIN_MS = 600

describe('Liveness of a client whose packets are dropped without a word', function () {
  this.timeout(scaled(60_000))

  let network: Namespaces
  let app: SpawnedApp
  let client: ChildProcess

  before(function () {
    network = Namespaces.create(this)
  })
  beforeEach(async () => {
    network.mend()
    const options = { heartbeatInterval: INTERVAL_MS, maxConnectionAge: AGE_MS, offlineGrace: GRACE_MS }
    app = await spawnApp(options, { address: network.address, by: network.atServer })
  })
  afterEach(() => {
    client?.kill('SIGKILL')
    app?.kill()
  })
  after(() => network?.remove())

  /** Settles when the client has sent each of these words. */
  async function start(query: string, words: string[]): Promise<void> {
    const node = [process.execPath, '--import', 'tsx', CLIENT]
    const [program = '', ...args] = [...network.atClient, ...node, network.address, String(app.port), query]
    const stdio = ['ignore', 'inherit', 'inherit', 'ipc'] as const
    client = spawn(program, [...args, String(DISTANCE_MS)], { stdio: [...stdio] })
    const sent: unknown[] = []
    client.on('message', (word) => sent.push(word))
    await until(() => sent.length >= words.length, words.join(', '), scaled(30_000))
    assert.deepEqual(sent.slice(0, words.length), words)
  }

  /** Cuts the client off. @returns after how long its user went offline, and why its session ended */
  async function cutOff(): Promise<{ took: number; closes: Measure['stats']['closes'] }> {
    const start = Date.now()
    network.cut()
    let measure: Measure | undefined
    await until(
      async () => {
        await sleep(50)
        measure = await app.ask({ do: 'measure' })
        return measure.offline.count > 0
      },
      'offline',
      scaled(30_000),
    )
    const { offline, stats } = measure as Measure
    return { took: offline.at - start, closes: stats.closes }
  }

  /** Exact bounds are for a machine that does nothing else. In any case the kernel alone would take many minutes. */
  function checkTime(took: number, least: number, most: number): void {
    figure('offline after', `${took} ms, between ${least} and ${most} ms`)
    if (isSoak) assert.ok(took > least && took < most, `${took} ms`)
  }

  it('ends the session after three heartbeats when the client answers heartbeats', async () => {
    // For longer than a connection may live whose client does not answer: this one stays while it answers.
    await start('u=alice&hb=1', ['ready', 'alive', 'alive', 'alive', 'alive', 'alive'])
    const { took, closes } = await cutOff()
    assert.deepEqual(closes, { SILENT: 1 })
    // The client was cut off between two heartbeats. The next three are sent, and each has an interval to be answered.
    checkTime(took, 3 * INTERVAL_MS + GRACE_MS, 4 * INTERVAL_MS + GRACE_MS + MARGIN_MS)
  })

  it('ends the session at maxConnectionAge otherwise', async () => {
    await start('u=bob', ['ready'])
    const { took, closes } = await cutOff()
    assert.deepEqual(closes, { AGED: 1 })
    checkTime(took, 0, AGE_MS + GRACE_MS + MARGIN_MS)
  })
})
