import { Stand } from './stand.js'
import { medianOf } from './statistics.js'

/** The contender that `--against` measures. */
const CONTENDER = 'comet-express'

/** Garbage is collected on the main thread, so that its cost falls into the slice that made it, and varies less. */
const FLAGS = ['--single-threaded-gc']

/** @typedef {import('./types.js').PairPlan} PairPlan */
/** @typedef {import('./types.js').Slice} Slice */

/** The build of the other commit, or of this tree. @typedef {'before' | 'now'} Side */

/** @typedef {[first: Side, second: Side]} Order */

/**
 * Microseconds for one operation on each side, and their ratio, which is above 1 when this tree is faster.
 *
 * @typedef {{ before: number, now: number, ratio: number }} Costs
 */

/**
 * Costs by figure. They are void when there is a fault on either side.
 *
 * @typedef {{ costs: Record<string, Costs>, faults: Record<Side, string[]> }} Pair
 */

/**
 * Measures a scenario once with both builds, on two new servers. New ones for each pair, because two processes with the
 * same code differ as well: a pair of processes is one sample of how much.
 *
 * @param {PairPlan} plan
 * @param {Record<Side, string>} folders of the builds
 * @param {Order} order of the first slices
 * @returns {Promise<Pair>}
 */
export async function measurePair(plan, folders, order) {
  /** @type {Map<Side, Stand>} */
  const stands = new Map()
  /** @type {Pair} */
  const { costs, faults } = { costs: {}, faults: { before: [], now: [] } }

  /** Notes an error as a fault of its side. @template T @param {Side} side @param {() => Promise<T>} work */
  const attempt = async (side, work) => {
    try {
      return await work()
    } catch (error) {
      faults[side].push(error instanceof Error ? error.message : String(error))
      throw error
    }
  }

  try {
    const starts = order.map((side) =>
      attempt(side, async () => stands.set(side, await start(plan, folders[side]))),
    )
    // When one start fails, the other server still has to be ended.
    await Promise.allSettled(starts)
    await Promise.all(starts)
    for (const slice of plan.slices) {
      /** @param {Side} side */
      const measure = (side) =>
        attempt(side, () => run(slice, /** @type {Stand} */ (stands.get(side)), plan.clients))
      Object.assign(costs, await takeTurns(slice, measure, order, plan.together))
    }
  } catch (error) {
    if (faults.before.length + faults.now.length === 0) throw error
  } finally {
    await Promise.all(Array.from(stands.values(), (stand) => stand.end()))
  }
  return { costs, faults }
}

/** @param {PairPlan} plan @param {string} packageFolder */
async function start({ kind, options = {}, prepare, clients }, packageFolder) {
  const stand = await Stand.start({
    contender: CONTENDER,
    kind,
    server: options,
    packageFolder,
    flags: FLAGS,
  })
  try {
    await prepare(stand, clients)
    throwFault(stand)
    return stand
  } catch (error) {
    await stand.end()
    throw error
  }
}

/** @param {Slice} slice @param {Stand} stand @param {number} clients */
async function run(slice, stand, clients) {
  const result = await slice.run(stand, clients)
  throwFault(stand)
  return result
}

/**
 * Ends a pair at its first fault. It is void anyway, and each later slice might wait until the deadline for a lost text.
 *
 * @param {Stand} stand
 */
function throwFault({ faults: [fault] }) {
  if (fault !== undefined) throw new Error(fault)
}

/**
 * Runs a slice on each side by turns: first, second, second, first, and so on. Slices that follow each other find the
 * machine in about the same state, so each two of them give one ratio. The change of order cancels what only the first
 * or the second of them costs.
 *
 * @param {Slice} slice @param {(side: Side) => Promise<Record<string, number>>} measure @param {Order} order
 * @param {boolean} [together] measures both sides at the same time
 * @returns {Promise<Record<string, Costs>>} medians of all turns
 */
async function takeTurns({ warmUps, seconds }, measure, [first, second], together = false) {
  /** @type {Record<Side, Record<string, number>[]>} */
  const found = { before: [], now: [] }
  let end = Number.POSITIVE_INFINITY
  for (let turn = -warmUps; turn < 2 || turn % 2 !== 0 || performance.now() < end; turn += 1) {
    if (turn === 0) end = performance.now() + seconds * 1_000
    /** @type {Order} */
    const order = turn % 2 === 0 ? [first, second] : [second, first]
    const results = together
      ? await Promise.all(order.map(measure))
      : [await measure(order[0]), await measure(order[1])]
    if (turn < 0) continue
    for (const [index, side] of order.entries()) found[side].push(results[index] ?? {})
  }
  const figures = Object.keys(found.now[0] ?? {})
  return Object.fromEntries(figures.map((figure) => [figure, costsOf(found, figure)]))
}

/** @param {Record<Side, Record<string, number>[]>} found results by turn @param {string} figure @returns {Costs} */
function costsOf(found, figure) {
  const before = found.before.map((result) => result[figure] ?? Number.NaN)
  const now = found.now.map((result) => result[figure] ?? Number.NaN)
  const ratios = before.map((cost, turn) => cost / (now[turn] ?? Number.NaN))
  return { before: medianOf(before), now: medianOf(now), ratio: medianOf(ratios) }
}
