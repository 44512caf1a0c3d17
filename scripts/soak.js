/**
 * Runs the long tests in full, part by part: `npm run soak`, or `npm run soak -- torture` for one part. Prints the
 * figures that the tests measured, and the time of each part. `npm test` runs a sample of the same tests.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const mocha = join(root, 'node_modules/.bin/mocha')

/** A part that is not done after `minutes` has failed. On two cores it takes less than half of that. */
const PARTS = {
  torture: {
    about: 'clients whose connections are cut anywhere, for a minute each',
    files: 'test/soak/torture/**/*.test.ts',
    minutes: 15,
  },
  bounds: {
    about: 'memory, time and handles that a server may use',
    files: 'test/soak/bounds/**/*.test.ts',
    minutes: 15,
  },
  clients: {
    about: 'client libraries and browsers whose connections are cut at every tenth byte, or at every border',
    files: 'test/**/cuts.test.ts',
    minutes: 20,
  },
  client: {
    about:
      'the client: 1,000 messages over cut connections, 500 clients of servers that are not well, its parser',
    files: 'test/client/*.test.ts',
    minutes: 15,
  },
  churn: {
    about: '10,000 clients behind each adapter, half of them cut off while they connect',
    files: 'test/soak/churn.test.ts',
    minutes: 15,
  },
  growth: {
    about: 'the steps of an operation with up to 100,000 sessions',
    files: 'test/soak/growth.test.ts',
    minutes: 10,
  },
  pages: {
    about: 'a page over HTTP/2 whose streams are renewed for 20 s, and one that shows 5,000 tokens',
    files: 'test/browser/@(http2|llm)-page.test.ts',
    minutes: 4,
  },
  redis: {
    about: 'presence in Redis beside presence in memory, with twenty times as many random steps; all clients',
    files: 'test/redis/*.test.ts',
    minutes: 30,
  },
  core: {
    about: 'the tests of the core, with Redis in place of memory',
    files: 'test/redis/core/*.test.ts',
    minutes: 20,
  },
  cluster: {
    about:
      'pages and nodes that act at random on three processes, for 30 minutes and with faults; a checker judges',
    files: 'test/cluster/**/*.test.ts',
    minutes: 110,
  },
  nats: {
    about: 'nats-server that is killed 40 times, and away for a minute; 100,000 random messages of protobuf',
    files: 'test/nats/*.test.ts',
    minutes: 30,
  },
  properties: {
    about: 'the unit tests, with twenty times as many random inputs',
    files: 'test/unit/**/*.test.ts',
    minutes: 15,
  },
}

const names = process.argv.slice(2)
const unknown = names.filter((name) => !Object.hasOwn(PARTS, name))
if (unknown.length > 0) {
  console.error(`There is no part ${unknown.join(', ')}. The parts are:`)
  for (const [name, { about }] of Object.entries(PARTS)) console.error(`  ${name.padEnd(12)}${about}`)
  process.exit(1)
}

const results = []
for (const name of names.length > 0 ? names : Object.keys(PARTS)) results.push(await runPart(name))
for (const { name, verdict, seconds, figures } of results) {
  console.log(`\n${name}: ${verdict}, ${seconds} s`)
  for (const figure of figures) console.log(`  ${figure}`)
}
process.exitCode = results.every(({ verdict }) => verdict === 'ok') ? 0 : 1

async function runPart(name) {
  const { about, files, minutes } = PARTS[name]
  console.log(`\n# ${name}: ${about}`)
  const limit = minutes * Number(process.env.COMET_TEST_PATIENCE || 1)
  const start = performance.now()
  // In a process group of its own, which ends with all processes that the tests have started.
  const child = spawn(mocha, [files], {
    cwd: root,
    env: { ...process.env, COMET_SOAK: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
  const end = () => process.kill(-child.pid, 'SIGKILL')
  const abort = () => {
    end()
    process.exit(130)
  }
  process.once('SIGINT', abort).once('SIGTERM', abort)
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    end()
  }, limit * 60_000)
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (piece) => {
    output += piece
    process.stdout.write(piece)
  })
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve))
  clearTimeout(timer)
  process.off('SIGINT', abort).off('SIGTERM', abort)
  const verdict = isLate ? `FAILED after its limit of ${limit} minutes` : code === 0 ? 'ok' : 'FAILED'
  const figures = Array.from(output.matchAll(/^ *figure: (.*)$/gm), ([, figure]) => figure)
  return { name, verdict, seconds: ((performance.now() - start) / 1_000).toFixed(), figures }
}
