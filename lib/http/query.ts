import { CometError } from '../errors.ts'

/** The parameters of a request for the stream. */
export interface StreamQuery {
  readonly rids: readonly string[]
  readonly clientId: string | undefined
  readonly lastEventId: string | undefined
  readonly recent: number
  readonly answersHeartbeats: boolean
}

const NAMES = ['rid', 'clientId', 'lastEventId', 'recent', 'hb', 'sid']

/**
 * Reads the parameters of a request for the stream. Others belong to the app.
 *
 * @throws CometError INVALID_FIELD
 */
export function readStreamQuery(query: URLSearchParams): StreamQuery {
  checkNames(query)
  const recent = single(query, 'recent') ?? ''
  return {
    rids: query.getAll('rid').filter((rid) => rid !== ''),
    clientId: single(query, 'clientId'),
    // Some clients append the latest position to a URL that has one already.
    lastEventId: query.getAll('lastEventId').findLast((position) => position !== ''),
    recent: /^\d{1,9}$/.test(recent) ? Number(recent) : 0,
    answersHeartbeats: single(query, 'hb') === '1',
  }
}

/**
 * Finds the session that a packet is for in `?sid=`.
 *
 * @returns undefined without a sid
 * @throws CometError INVALID_FIELD
 */
export function readSid(query: URLSearchParams): string | undefined {
  checkNames(query)
  return single(query, 'sid')
}

/** Refuses the names that axios, qs and jQuery make of an array: `rid[]`, `rid[0]`. Ignored, they would be missed. */
function checkNames(query: URLSearchParams): void {
  for (const name of query.keys()) {
    const [, known = ''] = /^(\w+)\s*\[.*\]$/.exec(name) ?? []
    if (!NAMES.includes(known)) continue
    const right = known === 'rid' ? '?rid=a&rid=b' : `?${known}=a`
    throw new CometError(
      'INVALID_FIELD',
      `There is no parameter ${JSON.stringify(name)}. Write ${right}, without brackets.`,
    )
  }
}

function single(query: URLSearchParams, name: string): string | undefined {
  const [first, ...others] = query.getAll(name).filter((value) => value !== '')
  if (others.every((value) => value === first)) return first
  throw new CometError('INVALID_FIELD', `The parameter ${name} has two values. Give it once.`)
}
