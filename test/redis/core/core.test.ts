import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { scaled } from '../../support/inbox.ts'
import { RedisServer } from '../../support/redis-server.ts'
import { figure, isSoak, sampled } from '../../support/tier.ts'
import { DIFFERENCES } from './differences.ts'

/** The longest that the tests may take, in milliseconds. */
const LIMIT = sampled(900_000, 120_000)

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const SETUP = 'test/redis/core/setup.ts'

/**
 * Not among them are tests that fake the clock of the process or bring ports of their own: liveness, expiry,
 * membership-order, cluster-handlers, faulty-ports and remote-broker.
 */
const OPERATIONS = [
  ...[
    'activity',
    'admission',
    'bye',
    'close',
    'cluster-calls',
    'connect',
    'disconnect',
    'first-load',
    'grants',
  ],
  ...[
    'hand-over',
    'limits',
    'missed-commands',
    'named-events',
    'newcomers',
    'one-session',
    'past',
    'publish',
  ],
  ...['publish-all', 'resume', 'room-order', 'set-info', 'several-targets', 'takeover', 'uplink'],
]
const SAMPLE = ['admission', 'disconnect', 'first-load', 'grants', 'limits', 'past', 'resume', 'takeover']
const OVER_HTTP = [
  ...['close', 'cluster', 'departures', 'disconnect', 'identify', 'limits', 'packet-effects', 'packets'],
  ...['recent', 'resume', 'stream'],
]

const FILES = [
  ...sampled(OPERATIONS, SAMPLE).map((name) => `test/unit/operations/${name}.test.ts`),
  ...sampled(OVER_HTTP, []).map((name) => `test/http/${name}.test.ts`),
  ...sampled(['test/unit/publisher.test.ts'], []),
]

interface Outcome {
  readonly fullTitle: string
  readonly err: { readonly message?: string }
}

interface Results {
  readonly passes: readonly Outcome[]
  readonly failures: readonly Outcome[]
  readonly pending: readonly Outcome[]
}

describe('The core on Redis', function () {
  this.timeout(scaled(LIMIT))
  let server: RedisServer
  let folder: string | undefined

  before(async function () {
    server = await RedisServer.start(this)
    folder = await mkdtemp(join(tmpdir(), 'comet-core-'))
  })
  after(async () => {
    await server?.stop()
    if (folder !== undefined) await rm(folder, { recursive: true })
  })

  it('does what it does in memory, but for the differences that are listed', async () => {
    const output = join(folder as string, 'results.json')
    const args = ['--require', './test/support/seed.ts', '--require', `./${SETUP}`]
    const report = ['--reporter', 'json', '--reporter-option', `output=${output}`]
    const child = spawn(process.execPath, ['node_modules/mocha/bin/mocha.js', ...args, ...report, ...FILES], {
      cwd: ROOT,
      env: { ...process.env, COMET_CORE_REDIS: String(server.port), COMET_SOAK: '' },
      stdio: 'ignore',
      timeout: scaled(LIMIT - 10_000),
      killSignal: 'SIGKILL',
    })
    await once(child, 'exit')
    const { passes, failures, pending } = JSON.parse(await readFile(output, 'utf8')) as Results
    const failed = failures.map(({ fullTitle, err }) => `${fullTitle}: ${err.message}`)
    assert.deepEqual(failed, [])
    const skipped = pending.map(({ fullTitle }) => fullTitle).sort()
    const known = Object.keys(DIFFERENCES).sort()
    assert.deepEqual(skipped, isSoak ? known : known.filter((title) => skipped.includes(title)))
    assert.ok(passes.length > 0)
    figure('tests of the core that pass on Redis', `${passes.length}, ${skipped.length} differ`)
  })
})
