/** How exactly a media range names `text/event-stream`. The most specific range decides (RFC 9110, section 12.5.1). */
const SPECIFICITY: ReadonlyMap<string, number> = new Map([
  ['text/event-stream', 3],
  ['text/*', 2],
  ['*/*', 1],
  // Java's HttpURLConnection sends it.
  ['*', 1],
])

/** A member of a list, or a parameter of a member. Quoted strings may hold commas and semicolons. */
const MEMBER = /(?:"(?:[^"\\]|\\.)*"|[^",])+/g
const PART = /(?:"(?:[^"\\]|\\.)*"|[^";])+/g

/**
 * Tells whether a client accepts `text/event-stream`.
 *
 * @param accept the request's header. A client without it, or with an empty one, accepts everything
 */
export function acceptsEventStream(accept: string | undefined): boolean {
  // What EventSource sends need not be parsed.
  if (accept === undefined || accept === 'text/event-stream' || accept.trim() === '') return true
  let most = 0
  let weight = 0
  for (const member of accept.match(MEMBER) ?? []) {
    const [range = '', ...parameters] = member.match(PART) ?? []
    const specificity = SPECIFICITY.get(range.trim().toLowerCase()) ?? 0
    if (specificity === 0 || specificity < most) continue
    const q = weightOf(parameters)
    weight = specificity > most ? q : Math.max(weight, q)
    most = specificity
  }
  return weight > 0
}

/** Finds the parameter `q`. A malformed one counts as absent. */
function weightOf(parameters: readonly string[]): number {
  for (const parameter of parameters) {
    const [, q] = /^\s*q\s*=\s*([\d.]+)\s*$/i.exec(parameter) ?? []
    if (q !== undefined && !Number.isNaN(Number(q))) return Number(q)
  }
  return 1
}
