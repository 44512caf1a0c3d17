import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type BoundsHost, spawnHost } from '../../support/bounds.ts'
import type { Measure } from '../../support/bounds-host.ts'
import { until, within } from '../../support/inbox.ts'
import { Namespaces } from '../../support/namespaces.ts'

const CLIENT = fileURLToPath(new URL('../../support/half-open-client.ts', import.meta.url))

const INTERVAL_MS = 1_000
const AGE_MS = 3_000
const GRACE_MS = 500
/** How late the timerWheel may be, and a busy machine. Less than an interval, or nothing would be shown. */
const MARGIN_MS = 600

describe('A client whose packets are dropped without a word', function () {
  this.timeout(40_000)

  let network: Namespaces
  let host: BoundsHost
  let client: ChildProcess

  before(function () {
    network = Namespaces.create(this)
  })
  beforeEach(async () => {
    network.mend()
    const options = {
      heartbeatInterval: INTERVAL_MS,
      maxConnectionAge: AGE_MS,
      offlineGrace: GRACE_MS,
    }
    host = await spawnHost(options, { address: network.address, by: network.atServer })
  })
  afterEach(() => {
    client?.kill('SIGKILL')
    host?.kill()
  })
  after(() => network?.remove())

  /** Settles when the client has said each of these words. */
  async function start(query: string, words: string[]): Promise<void> {
    const [program = '', ...args] = [...network.atClient, process.execPath, '--import', 'tsx', CLIENT]
    const stdio = ['ignore', 'inherit', 'inherit', 'ipc'] as const
    client = spawn(program, [...args, network.address, String(host.port), query], { stdio: [...stdio] })
    const said: unknown[] = []
    client.on('message', (word) => said.push(word))
    const heard = until(() => said.length >= words.length, words.join(', '), 20_000)
    await within(heard, 'the client', 20_000)
    assert.deepEqual(said.slice(0, words.length), words)
  }

  /** Cuts the client off. @returns after how long it was offline, and why */
  async function cutOff(): Promise<{ took: number; closes: Measure['stats']['closes'] }> {
    const start = Date.now()
    network.cut()
    let measure: Measure | undefined
    await until(
      async () => {
        await sleep(20)
        measure = await host.ask({ do: 'measure' })
        return measure.offline.count > 0
      },
      'offline',
      15_000,
    )
    const { offline, stats } = measure as Measure
    return { took: offline.at - start, closes: stats.closes }
  }

  it('is offline within three heartbeats and the grace when it said it answers them', async () => {
    // Longer than a connection may live that does not answer: this one stays for as long as it does.
    await start('u=alice&hb=1', ['ready', 'heard', 'heard', 'heard', 'heard', 'heard'])
    const { took, closes } = await cutOff()
    console.log(`      offline after ${took} ms`)
    assert.deepEqual(closes, { SILENT: 1 })
    assert.ok(took < 3 * INTERVAL_MS + GRACE_MS + MARGIN_MS, `${took} ms`)
    assert.ok(took > 2 * INTERVAL_MS + GRACE_MS, `${took} ms`)
  })

  it('is offline within maxConnectionAge and the grace otherwise', async () => {
    await start('u=bob', ['ready'])
    const { took, closes } = await cutOff()
    console.log(`      offline after ${took} ms`)
    assert.deepEqual(closes, { AGED: 1 })
    assert.ok(took < AGE_MS + GRACE_MS + MARGIN_MS, `${took} ms`)
  })
})
