import { contenderOf } from './contenders/index.js'

/** @typedef {{ median: number, least: number, most: number }} Spread */
/** Figures by contender and name. @typedef {Record<string, Record<string, Spread>>} Summary */

/**
 * @param {import('./types.js').Scenario} scenario @param {Map<string, import('./types.js').Round[]>} found
 * @returns {Summary} without rounds that are void
 */
export function summarize({ figures }, found) {
  /** @type {Summary} */
  const summary = {}
  for (const [contender, rounds] of found) {
    const valid = rounds.filter(({ faults }) => faults.length === 0)
    /** @type {Record<string, Spread>} */
    const spreads = {}
    for (const name of Object.keys(figures)) {
      const values = valid.flatMap((round) => round.figures[name] ?? []).sort((a, b) => a - b)
      if (values.length === 0) continue
      spreads[name] = {
        median: /** @type {number} */ (values[Math.floor(values.length / 2)]),
        least: /** @type {number} */ (values[0]),
        most: /** @type {number} */ (values.at(-1)),
      }
    }
    summary[contender] = spreads
  }
  return summary
}

/**
 * A table in Markdown: of each figure the median, what Comet has of it in relation to each, and the spread.
 *
 * @param {import('./types.js').Scenario} scenario @param {Summary} summary
 */
export function table({ figures }, summary) {
  const names = Object.keys(figures)
  const head = ['', ...names.map((name) => figures[name]?.title ?? name)]
  const rows = Object.entries(summary).map(([contender, spreads]) => [
    contenderOf(contender).title,
    ...names.map((name) => cell(spreads[name], figures[name]?.digits ?? 0, summary['comet-express']?.[name])),
  ])
  const lines = [head, head.map((_, column) => (column === 0 ? '---' : '---:')), ...rows]
  return lines.map((line) => `| ${line.join(' | ')} |`).join('\n')
}

/** @param {Spread | undefined} spread @param {number} digits @param {Spread | undefined} comet */
function cell(spread, digits, comet) {
  if (spread === undefined) return '–'
  const { median, least, most } = spread
  const ratio = comet === undefined || comet === spread ? '' : `, ×${(comet.median / median).toFixed(2)}`
  const range = least === most ? '' : ` (${least.toFixed(digits)}–${most.toFixed(digits)}${ratio})`
  return `${median.toFixed(digits)}${range}`
}
