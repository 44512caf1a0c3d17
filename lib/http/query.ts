import { CometError } from '../errors.ts'

/** The parameters of a request for the stream. */
export interface StreamQuery {
  readonly rids: readonly string[]
  readonly clientId: string | undefined
  readonly lastEventId: string | undefined
  readonly recent: number
  /** The page's own count of its requests for the stream. */
  readonly requestNumber: number | undefined
  readonly answersHeartbeats: boolean
}

const NAMES = ['rid', 'clientId', 'lastEventId', 'recent', 'hb', 'n', 'sid']

/**
 * Reads the parameters of a request for the stream. Others belong to the app.
 *
 * @throws CometError INVALID_FIELD
 */
export function readStreamQuery(query: URLSearchParams): StreamQuery {
  const rids: string[] = []
  const once: Partial<Record<string, string>> = {}
  let lastEventId: string | undefined
  for (const [name, value] of query) {
    checkName(name)
    if (value === '') continue
    if (name === 'rid') rids.push(value)
    // Some clients append the latest position to a URL that has one already.
    else if (name === 'lastEventId') lastEventId = value
    else if (NAMES.includes(name)) once[name] = sameAs(once[name], name, value)
  }
  const { clientId, recent, hb, n } = once
  return {
    rids,
    clientId,
    lastEventId,
    recent: readNumber(recent) ?? 0,
    requestNumber: readNumber(n),
    answersHeartbeats: hb === '1',
  }
}

/** @returns undefined for what is no whole number of 1 to 9 digits */
function readNumber(text = ''): number | undefined {
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined
}

/**
 * Finds the session that a packet is for in `?sid=`.
 *
 * @returns undefined without a sid
 * @throws CometError INVALID_FIELD
 */
export function readSid(query: URLSearchParams): string | undefined {
  let sid: string | undefined
  for (const [name, value] of query) {
    checkName(name)
    if (name === 'sid' && value !== '') sid = sameAs(sid, name, value)
  }
  return sid
}

/** Refuses the names that axios, qs and jQuery make of an array: `rid[]`, `rid[0]`. Ignored, they would be missed. */
function checkName(name: string): void {
  const [, known = ''] = /^(\w+)\s*\[.*\]$/.exec(name) ?? []
  if (!NAMES.includes(known)) return
  const right = known === 'rid' ? '?rid=a&rid=b' : `?${known}=a`
  throw new CometError(
    'INVALID_FIELD',
    `There is no parameter ${JSON.stringify(name)}. Write ${right}, without brackets.`,
  )
}

/** @returns a parameter's value, if it is the same as the one before */
function sameAs(before: string | undefined, name: string, value: string): string {
  if (before === undefined || before === value) return value
  throw new CometError('INVALID_FIELD', `The parameter ${name} has two values. Give it once.`)
}
