import { measurePair } from './pair.js'
import { progress } from './progress.js'
import { markdown } from './report.js'
import { scenarios } from './scenarios/index.js'
import { compare, medianOf } from './statistics.js'
import { buildBoth } from './worktree.js'

/** @typedef {import('./types.js').PairPlan} PairPlan */
/** @typedef {import('./pair.js').Pair} Pair */

/** The clients with `--quick`. */
const QUICK_CLIENTS = 100

/** The scenarios that `--against` can measure. */
export const comparable = Object.keys(scenarios).filter((name) => scenarios[name]?.pair !== undefined)

/**
 * Compares this tree's build with another commit's, and prints the ratio of each figure and a verdict.
 *
 * @param {{ commit: string, names: string[], rounds: number, quick: boolean }} options `names` of scenarios, `rounds` is
 *   the number of pairs
 * @returns {Promise<boolean>} whether this tree is as fast, and has no faults. With `quick` only whether there are none
 */
export async function against({ commit, names, rounds, quick }) {
  const chosen = names.map((name) => ({ name, plan: planOf(name, quick) }))
  const start = performance.now()
  progress(`building ${commit}`)
  const { before, now, title } = buildBoth(commit)
  /** @type {Map<string, Pair[]>} */
  const found = new Map(names.map((name) => [name, []]))
  for (let round = 1; round <= rounds; round += 1) {
    for (const { name, plan } of chosen) {
      progress(`${name}, pair ${round} of ${rounds}, ${minutesSince(start)} min`)
      const pair = await measurePair(
        plan,
        { before, now },
        round % 2 === 0 ? ['now', 'before'] : ['before', 'now'],
      )
      report(name, round, pair)
      found.get(name)?.push(pair)
    }
  }
  progress()

  console.log(`\n## This tree against ${title}\n`)
  console.log(
    `Microseconds of the server's processor time, and before ÷ now by the pair. Above 1, this tree is faster. ` +
      `${rounds} pairs, ${minutesSince(start)} minutes.\n`,
  )
  const results = chosen.flatMap(({ name, plan }) => resultsOf(plan, found.get(name) ?? []))
  console.log(
    markdown(
      ['', 'before µs', 'now µs', 'median ratio', '95 % interval', 'pairs', 'verdict'],
      results.map(({ row }) => row),
    ),
  )
  const isFaultless = Array.from(found.values()).every((pairs) =>
    pairs.every(({ faults }) => faults.now.length === 0),
  )
  return isFaultless && (quick || results.every(({ isAsFast }) => isAsFast))
}

/** @param {string} name @param {boolean} quick whether to measure just enough to see that it works @returns {PairPlan} */
function planOf(name, quick) {
  const plan = scenarios[name]?.pair
  if (plan === undefined) throw new Error(`--against measures ${comparable.join(', ')}, not ${name}.`)
  if (!quick) return plan
  const slices = plan.slices.map((slice) => ({ ...slice, warmUps: 0, seconds: 0 }))
  return { ...plan, clients: QUICK_CLIENTS, slices }
}

/** Prints why a pair is void. @param {string} name @param {number} round @param {Pair} pair */
function report(name, round, { faults }) {
  for (const [side, messages] of Object.entries(faults)) {
    for (const message of messages) console.error(`\n${name}, pair ${round} is void, ${side}: ${message}`)
  }
}

/** @param {PairPlan} plan @param {Pair[]} pairs @returns a row of the table for each figure, and its verdict */
function resultsOf({ figures }, pairs) {
  const valid = pairs.filter(({ faults }) => faults.before.length === 0 && faults.now.length === 0)
  return Object.entries(figures).map(([name, title]) => {
    const costs = valid.flatMap((pair) => pair.costs[name] ?? [])
    const { median, interval, isAsFast } = compare(costs.map(({ ratio }) => ratio))
    const row = [
      title,
      costs.length === 0 ? '–' : medianOf(costs.map((cost) => cost.before)).toFixed(2),
      costs.length === 0 ? '–' : medianOf(costs.map((cost) => cost.now)).toFixed(2),
      median.toFixed(3),
      interval === undefined ? '–' : `${interval.low.toFixed(3)}–${interval.high.toFixed(3)}`,
      `${costs.length}`,
      interval === undefined ? 'too few pairs' : isAsFast ? 'as fast as before' : 'slower',
    ]
    return { row, isAsFast }
  })
}

/** @param {number} start */
function minutesSince(start) {
  return ((performance.now() - start) / 60_000).toFixed(1)
}
