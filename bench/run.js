import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { chart } from './chart.js'
import { contenderOf, contenders } from './contenders/index.js'
import { growth } from './growth.js'
import { summarize, table } from './report.js'
import { connect } from './scenarios/connect.js'
import { fanout } from './scenarios/fanout.js'
import { heartbeat } from './scenarios/heartbeat.js'
import { rooms, users } from './scenarios/targets.js'

/** @type {Record<string, import('./types.js').Scenario>} */
const scenarios = { fanout, users, rooms, connect, heartbeat }

/** `growth` is of Comet alone, and has no clients. */
const NAMES = [...Object.keys(scenarios), 'growth']

/** What the quick mode measures, to see that it works: one of each kind. */
const QUICK = ['comet-express', 'comet-compression', 'comet-koa', 'bare-express', 'better-sse', 'socket.io']

const RESULTS = new URL('../docs/bench/', import.meta.url)

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    contenders: { type: 'string' },
    clients: { type: 'string' },
    quick: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) {
  console.log(`npm run bench -- [${NAMES.join(' | ')} …] [options]

  --rounds 5           how often each contender is measured, one after the other
  --contenders a,b     of ${Object.keys(contenders).join(', ')}
  --clients 1000       only this many
  --quick              one short round with few clients and some contenders: whether it works, not how fast
  --write              keep the results in docs/bench`)
  process.exit()
}

const { quick } = values
const rounds = quick ? 1 : Number(values.rounds)
const chosen = values.contenders?.split(',') ?? (quick ? QUICK : undefined)
for (const name of chosen ?? []) contenderOf(name)
let isVoid = false

for (const name of positionals.length > 0 ? positionals : NAMES) {
  if (name === 'growth') {
    await growth({ quick, rounds, results: values.write ? RESULTS : undefined })
    continue
  }
  const scenario = scenarios[name]
  if (scenario === undefined) throw new Error(`There is no ${name}, but ${NAMES.join(', ')}.`)
  const sizes = quick ? [100] : values.clients ? [Number(values.clients)] : scenario.sizes
  for (const clients of sizes) await measure(name, scenario, clients)
}
process.exitCode = isVoid ? 1 : 0

/**
 * Measures all contenders in turn, again and again: what the machine does meanwhile befalls all of them.
 *
 * @param {string} name @param {import('./types.js').Scenario} scenario @param {number} clients
 */
async function measure(name, scenario, clients) {
  const kind = name === 'users' || name === 'rooms' ? name : 'fanout'
  const names = (scenario.contenders ?? Object.keys(contenders)).filter(
    (each) =>
      contenders[each] !== undefined &&
      (chosen?.includes(each) ?? true) &&
      (contenders[each].kinds?.includes(kind) ?? true),
  )
  /** @type {Map<string, import('./types.js').Round[]>} */
  const found = new Map(names.map((each) => [each, []]))
  for (let round = 1; round <= rounds; round += 1) {
    for (const [contender, results] of found) {
      process.stderr.write(`\r\u001b[K${name}, ${clients} clients, round ${round} of ${rounds}: ${contender}`)
      const result = await scenario.run(contender, clients, { quick })
      for (const fault of result.faults) console.error(`\n${contender} is void: ${fault}`)
      isVoid ||= result.faults.length > 0 && contender.startsWith('comet')
      results.push(result)
    }
  }
  process.stderr.write('\r\u001b[K')
  const summary = summarize(scenario, found)
  console.log(`\n## ${scenario.title}: ${clients.toLocaleString('en')} clients, ${rounds} rounds\n`)
  console.log(table(scenario, summary))
  if (values.write) write(`${name}-${clients}`, scenario, clients, summary)
}

/**
 * @param {string} file @param {import('./types.js').Scenario} scenario @param {number} clients
 * @param {import('./report.js').Summary} summary
 */
function write(file, scenario, clients, summary) {
  mkdirSync(RESULTS, { recursive: true })
  const machine = { node: process.version, processor: cpus()[0]?.model ?? '', cores: cpus().length }
  const titles = Object.fromEntries(Object.keys(summary).map((name) => [name, contenderOf(name).title]))
  const result = { title: scenario.title, clients, rounds, machine, contenders: titles, figures: summary }
  writeFileSync(new URL(`${file}.json`, RESULTS), `${JSON.stringify(result, null, 2)}\n`)
  const svg = chart(scenario, clients, summary)
  if (svg !== undefined) writeFileSync(new URL(`${file}.svg`, RESULTS), svg)
}
