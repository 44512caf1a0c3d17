import { contenderOf } from './contenders/index.js'
import { medianOf } from './statistics.js'

/** The contender that the others are compared with. */
const COMET = 'comet-express'

/**
 * A figure of one contender over all rounds. `ratio` is Comet's value divided by this contender's: the median of one
 * ratio a round, because contenders of the same round found the machine in about the same state.
 *
 * @typedef {{ median: number, least: number, most: number, ratio?: number }} Spread
 */
/** Spreads by contender and figure. @typedef {Record<string, Record<string, Spread>>} Summary */

/**
 * @param {import('./types.js').Scenario} scenario @param {Map<string, import('./types.js').Round[]>} found
 * @returns {Summary} of the rounds that are not void
 */
export function summarize({ figures }, found) {
  /** @type {Summary} */
  const summary = {}
  for (const [contender, rounds] of found) {
    /** @type {Record<string, Spread>} */
    const spreads = {}
    for (const name of Object.keys(figures)) {
      const values = valuesOf(rounds, name)
      const comets = valuesOf(found.get(COMET) ?? [], name)
      const known = values.filter((value) => value !== undefined)
      if (known.length === 0) continue
      spreads[name] = spreadOf(known)
      const ratios = values.flatMap((value, round) => {
        const comet = comets[round]
        return value === undefined || comet === undefined ? [] : [comet / value]
      })
      if (contender !== COMET && ratios.length > 0) spreads[name].ratio = spreadOf(ratios).median
    }
    summary[contender] = spreads
  }
  return summary
}

/** Values of a figure, one a round; undefined where the round is void. @param {import('./types.js').Round[]} rounds @param {string} name */
function valuesOf(rounds, name) {
  return rounds.map(({ figures, faults }) => (faults.length > 0 ? undefined : figures[name]))
}

/** @param {number[]} values at least one @returns {Spread} */
export function spreadOf(values) {
  const sorted = values.toSorted((a, b) => a - b)
  return {
    median: medianOf(values),
    least: /** @type {number} */ (sorted[0]),
    most: /** @type {number} */ (sorted.at(-1)),
  }
}

/** @param {string[]} head @param {string[][]} rows the first column is text, and the others are numbers @returns a table */
export function markdown(head, rows) {
  const lines = [head, head.map((_, column) => (column === 0 ? '---' : '---:')), ...rows]
  return lines.map((line) => `| ${line.join(' | ')} |`).join('\n')
}

/**
 * A table in Markdown: for each figure the median, the spread, and Comet's value in relation to it.
 *
 * @param {import('./types.js').Scenario} scenario @param {Summary} summary
 */
export function table({ figures }, summary) {
  const names = Object.keys(figures)
  const head = ['', ...names.map((name) => figures[name]?.title ?? name)]
  const rows = Object.entries(summary).map(([contender, spreads]) => [
    contenderOf(contender).title,
    ...names.map((name) => cell(spreads[name], figures[name]?.digits ?? 0)),
  ])
  return markdown(head, rows)
}

/** @param {Spread | undefined} spread @param {number} digits */
function cell(spread, digits) {
  if (spread === undefined) return '–'
  const { median, least, most, ratio } = spread
  const times = ratio === undefined ? '' : `, ×${ratio.toFixed(2)}`
  const range = least === most ? '' : ` (${least.toFixed(digits)}–${most.toFixed(digits)}${times})`
  return `${median.toFixed(digits)}${range}`
}
