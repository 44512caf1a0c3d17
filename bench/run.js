import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { against, comparable } from './against.js'
import { chart } from './chart.js'
import { contenderOf, contenders } from './contenders/index.js'
import { growth } from './growth.js'
import { progress } from './progress.js'
import { summarize, table } from './report.js'
import { scenarios } from './scenarios/index.js'

/** What can be measured. `growth` is no scenario: it measures Comet in this process, without clients. */
const NAMES = [...Object.keys(scenarios), 'growth']

/** The contenders of the quick mode: one of each kind. */
const QUICK = ['comet-express', 'comet-compression', 'comet-koa', 'bare-express', 'better-sse', 'socket.io']

/** The default number of rounds, and of pairs with `--against`. */
const ROUNDS = 5
const PAIRS = 11

const RESULTS = new URL('../docs/bench/', import.meta.url)

const HELP = `npm run bench -- [${NAMES.join(' | ')} …] [options]

  Measures Comet and other libraries.

  --rounds ${ROUNDS}           how often each contender is measured; in each round they take turns
  --contenders a,b     of ${Object.keys(contenders).join(', ')}
  --clients 1000       only this number of clients
  --quick              one short round with few clients and some contenders: shows that it works, not how fast
  --write              writes the results to docs/bench

npm run bench -- [${comparable.join(' | ')} …] --against <commit> [options]

  Builds a commit in a worktree of its own, and measures its build and this tree's by turns, on two servers that are up
  at the same time. Prints the median of before ÷ now for each figure, and its 95 % sign interval. A figure is as fast
  as before when the median is at least 0.97, or the interval reaches 1. Exits with 1 when a figure is not, or when a
  client of this tree's server did not get what it must. Takes up to 20 minutes for all four.

  --rounds ${PAIRS}          the number of pairs; fewer than 6 have no interval, and so no verdict
  --quick              one short pair with few clients: shows that it works; exits with 1 only for lost events`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    against: { type: 'string' },
    rounds: { type: 'string' },
    contenders: { type: 'string' },
    clients: { type: 'string' },
    quick: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) {
  console.log(HELP)
  process.exit()
}

const { quick } = values
const rounds = quick ? 1 : Number(values.rounds ?? (values.against === undefined ? ROUNDS : PAIRS))
const isGood = values.against === undefined ? await measureAll() : await compareWith(values.against)
process.exitCode = isGood ? 0 : 1

/** @param {string} commit @returns {Promise<boolean>} whether this tree is as fast */
async function compareWith(commit) {
  for (const name of /** @type {const} */ (['contenders', 'clients', 'write'])) {
    if (values[name]) throw new Error(`--${name} does not go with --against.`)
  }
  const names = positionals.length > 0 ? positionals : comparable
  return await against({ commit, names, rounds, quick })
}

/** @returns {Promise<boolean>} whether every client of Comet got every event */
async function measureAll() {
  const chosen = values.contenders?.split(',') ?? (quick ? QUICK : undefined)
  for (const name of chosen ?? []) contenderOf(name)
  let isFaultless = true
  for (const name of positionals.length > 0 ? positionals : NAMES) {
    if (name === 'growth') {
      await growth({ quick, rounds, results: values.write ? RESULTS : undefined })
      continue
    }
    const scenario = scenarios[name]
    if (scenario === undefined) throw new Error(`There is no ${name}, but ${NAMES.join(', ')}.`)
    const sizes = quick ? [100] : values.clients ? [Number(values.clients)] : scenario.sizes
    for (const clients of sizes) {
      if (!(await measure(name, scenario, clients, chosen))) isFaultless = false
    }
  }
  return isFaultless
}

/**
 * Measures all contenders of a scenario. They take turns in each round, so that whatever slows the machine down for a
 * while slows down all of them.
 *
 * @param {string} name @param {import('./types.js').Scenario} scenario @param {number} clients
 * @param {string[] | undefined} chosen the names of contenders
 * @returns {Promise<boolean>} whether every client of Comet got every event
 */
async function measure(name, scenario, clients, chosen) {
  const kind = name === 'users' || name === 'rooms' ? name : 'fanout'
  const names = (scenario.contenders ?? Object.keys(contenders)).filter(
    (each) =>
      contenders[each] !== undefined &&
      (chosen?.includes(each) ?? true) &&
      (contenders[each].kinds?.includes(kind) ?? true),
  )
  let isFaultless = true
  /** @type {Map<string, import('./types.js').Round[]>} */
  const found = new Map(names.map((each) => [each, []]))
  for (let round = 1; round <= rounds; round += 1) {
    for (const [contender, results] of found) {
      progress(`${name}, ${clients} clients, round ${round} of ${rounds}: ${contender}`)
      const result = await scenario.run(contender, clients, { quick })
      for (const fault of result.faults) console.error(`\n${contender} is void: ${fault}`)
      if (result.faults.length > 0 && contender.startsWith('comet')) isFaultless = false
      results.push(result)
    }
  }
  progress()
  const summary = summarize(scenario, found)
  console.log(`\n## ${scenario.title}: ${clients.toLocaleString('en')} clients, ${rounds} rounds\n`)
  console.log(table(scenario, summary))
  if (values.write) write(`${name}-${clients}`, scenario, clients, summary)
  return isFaultless
}

/**
 * Writes results as JSON and SVG.
 *
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
