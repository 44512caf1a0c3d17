/**
 * The fast checks, for use while you work: `npm run check`. Lint, types, unit tests and HTTP tests run at the same
 * time. Prints the time of each, and the output of those that failed.
 */
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const require = createRequire(import.meta.url)

const bin = (name) => join(root, 'node_modules/.bin', name)
// TypeScript 7 takes a tenth of the time of TypeScript 6, with which `npm test` compiles.
const tsc = join(dirname(require.resolve('typescript-7/package.json')), 'bin/tsc')

/** Each step is a list of commands, one after the other. The longest steps come first. */
const STEPS = {
  'HTTP tests': [[bin('mocha'), '--reporter', 'dot', 'test/http/**/*.test.ts']],
  'unit tests': [[bin('mocha'), '--reporter', 'dot', 'test/unit/**/*.test.ts']],
  types: [
    // The examples are compiled against dist.
    [process.execPath, 'scripts/build.js'],
    ...['.', 'lib/protocol', 'client', 'examples', 'bench'].map((project) => [
      process.execPath,
      tsc,
      '-p',
      project,
    ]),
  ],
  imports: [[bin('depcruise'), 'lib', 'adapters', 'client']],
  lint: [[bin('biome'), 'check', '--error-on-warnings']],
}

const start = performance.now()
const results = await Promise.all(Object.entries(STEPS).map(([name, commands]) => runStep(name, commands)))
for (const { name, isOk, output } of results) {
  if (isOk) continue
  process.exitCode = 1
  console.log(`\n--- ${name}\n${output}`)
}
console.log(`${seconds(start)} in all`)

async function runStep(name, commands) {
  const began = performance.now()
  let output = ''
  let isOk = true
  for (const command of commands) {
    const { code, text } = await run(command)
    output += text
    isOk = code === 0
    if (!isOk) break
  }
  console.log(`${isOk ? 'ok    ' : 'FAILED'} ${seconds(began)}  ${name}`)
  return { name, isOk, output }
}

function run([program, ...args]) {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, COMET_QUICK: '1' }
    const child = spawn(program, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let text = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (piece) => {
        text += piece
      })
    }
    child.once('error', reject).once('close', (code) => resolve({ code, text }))
  })
}

function seconds(since) {
  return `${((performance.now() - since) / 1_000).toFixed(1).padStart(5)} s`
}
