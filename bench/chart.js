import { contenderOf } from './contenders/index.js'

const WIDTH = 760
const LABEL = 270
const ROW = 22
const TOP = 34
const GAP = 26

/**
 * Draws the main figures of a scenario as bars.
 *
 * @param {import('./types.js').Scenario} scenario @param {number} clients
 * @param {import('./report.js').Summary} summary
 * @returns {string | undefined} SVG, or undefined when there is no figure to draw
 */
export function chart({ title, figures }, clients, summary) {
  const shown = ['single', 'burst', 'idle', 'rate', 'connect', 'beat'].filter((name) => name in figures)
  let y = 0
  const parts = []
  for (const name of shown) {
    const bars = Object.entries(summary).flatMap(([contender, spreads]) => {
      const spread = spreads[name]
      return spread === undefined ? [] : [{ contender, ...spread }]
    })
    if (bars.length === 0) continue
    parts.push(group(figures[name]?.title ?? name, figures[name]?.digits ?? 0, bars, y))
    y += TOP + bars.length * ROW + GAP
  }
  if (parts.length === 0) return undefined
  const caption = `${title}: ${clients.toLocaleString('en')} clients`
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + TOP}" font-family="system-ui, sans-serif" font-size="13" role="img" aria-labelledby="title">
<title id="title">${escaped(caption)}</title>
<rect width="100%" height="100%" fill="#fff"/>
<text x="12" y="22" font-size="16" font-weight="600">${escaped(caption)}</text>
<g transform="translate(0 ${TOP})">
${parts.join('\n')}
</g>
</svg>
`
}

/**
 * Draws the bars of one figure.
 *
 * @param {string} title @param {number} digits
 * @param {(import('./report.js').Spread & { contender: string })[]} bars @param {number} top
 */
function group(title, digits, bars, top) {
  const most = Math.max(...bars.map((bar) => bar.most))
  const scale = (WIDTH - LABEL - 80) / most
  const rows = bars.map(({ contender, median, least, most: high }, index) => {
    const y = top + TOP + index * ROW
    const middle = y + ROW / 2
    const x = (/** @type {number} */ value) => (LABEL + value * scale).toFixed(1)
    const color = contender.startsWith('comet') ? '#1a7f5a' : '#9aa5b1'
    return [
      `<text x="${LABEL - 8}" y="${middle + 4}" text-anchor="end">${escaped(contenderOf(contender).title)}</text>`,
      `<rect x="${LABEL}" y="${y + 3}" width="${(median * scale).toFixed(1)}" height="${ROW - 6}" fill="${color}"/>`,
      `<path d="M${x(least)} ${middle}H${x(high)}" stroke="#000" stroke-width="1.5"/>`,
      `<text x="${Number(x(Math.max(median, high))) + 6}" y="${middle + 4}">${median.toFixed(digits)}</text>`,
    ].join('')
  })
  return `<text x="12" y="${top + 22}" font-weight="600">${escaped(title)}</text>\n${rows.join('\n')}`
}

/** @param {string} text */
function escaped(text) {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;')
}
