/** An interval for the median must contain it with at least this probability. */
const COVERAGE = 0.95

/** The lowest median ratio that still counts as equally fast. */
const AS_FAST = 0.97

/** @param {readonly number[]} values @returns {number} NaN when there are none */
export function medianOf(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const [lower = Number.NaN, upper = lower] = sorted.slice(
    Math.ceil(sorted.length / 2) - 1,
    Math.floor(sorted.length / 2) + 1,
  )
  return (lower + upper) / 2
}

/** @param {readonly number[]} values @param {number} digits @returns the median and, of several, the lowest and the highest */
export function spreadText(values, digits) {
  const median = medianOf(values).toFixed(digits)
  if (values.length < 2) return median
  return `${median} (${Math.min(...values).toFixed(digits)}–${Math.max(...values).toFixed(digits)})`
}

/**
 * The tightest symmetric sign interval for the median that has at least 95 % coverage: from the k-th smallest to the
 * k-th largest value. It assumes nothing about how the values are distributed. The median lies outside when fewer than
 * k of n values are on one side of it, which has the probability 2 × P(X < k), where X is binomial with n and 1/2.
 *
 * @param {readonly number[]} values
 * @returns {{ low: number, high: number, coverage: number } | undefined} undefined for fewer than 6 values: even from
 *   the smallest to the largest of 5 there is only 93.75 %
 */
export function signInterval(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const n = sorted.length
  /** @type {{ low: number, high: number, coverage: number } | undefined} */
  let tightest
  // P(X = k - 1) and 1 - 2 × P(X < k).
  let probability = 0.5 ** n
  let coverage = 1 - 2 * probability
  for (let k = 1; k <= n / 2 && coverage >= COVERAGE; k += 1) {
    tightest = {
      low: /** @type {number} */ (sorted[k - 1]),
      high: /** @type {number} */ (sorted[n - k]),
      coverage,
    }
    probability *= (n - k + 1) / k
    coverage -= 2 * probability
  }
  return tightest
}

/**
 * Compares two builds by the ratios of one figure, one ratio a pair. A ratio above 1 means that this tree is faster.
 *
 * @param {readonly number[]} ratios
 * @returns {{ median: number, interval: ReturnType<typeof signInterval>, isAsFast: boolean }} `isAsFast` when the median
 *   is at least 0.97, or the interval reaches 1; never with too few ratios for an interval
 */
export function compare(ratios) {
  const median = medianOf(ratios)
  const interval = signInterval(ratios)
  return { median, interval, isAsFast: interval !== undefined && (median >= AS_FAST || interval.high >= 1) }
}
