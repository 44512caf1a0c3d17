import type { IncomingHttpHeaders } from 'node:http'
import type { Comet } from '../comet.ts'
import { CometError, isCometError } from '../errors.ts'
import { kindOf, ownerOf } from '../ids.ts'
import { type Identified, isNobody } from '../session/identity.ts'
import { Gathering } from '../util/connect-batcher.ts'
import { type Answer, answerNotNow, answerOf, errorAnswer, send } from './answer.ts'
import { readJson } from './body.ts'
import { connectionOf, isOver, type Request, type Response } from './messages.ts'
import { ResponseTransport } from './response-transport.ts'

/** What adapters need of a Comet, whatever its events. */
export type CometGate = Pick<Comet, 'connect' | 'uplink' | 'limits' | 'report'>

/** Options that all HTTP adapters have. */
export interface HttpOptions<Source> {
  /** Who a request is from. May be async; what it throws goes the way of the host's errors. */
  readonly identify: (source: Source) => Identified | Promise<Identified>
  /** Whether pages of other sites may connect. Default: false, they get 403. */
  readonly crossSite?: boolean
}

/** A request and what its framework knows of it. */
export interface Exchange {
  readonly req: Request
  readonly res: Response
  /** The part of the URL below the mount point: `/`, `/?rid=a`, `/<sid>`. */
  readonly url: string
  /** The request as body parsers know it: `body` is what one of the host's left. */
  readonly parsed: object
  readonly identify: () => Identified | Promise<Identified>
  readonly crossSite: boolean
}

/**
 * Checks what an adapter was given.
 *
 * @param own the options that only this adapter has
 * @throws CometError INVALID_OPTION
 */
export function checkHttpOptions(
  comet: CometGate,
  options: HttpOptions<never>,
  own: readonly string[] = [],
): void {
  if (typeof comet?.connect !== 'function') {
    throw new CometError('INVALID_OPTION', 'The first argument must be a Comet.')
  }
  if (typeof options?.identify !== 'function') {
    throw new CometError(
      'INVALID_OPTION',
      'Option identify must be a function that says who a request is from.',
    )
  }
  if (options.crossSite !== undefined && typeof options.crossSite !== 'boolean') {
    throw new CometError('INVALID_OPTION', 'Option crossSite must be a boolean.')
  }
  const known = ['identify', 'crossSite', ...own]
  const unknown = Object.keys(options).find((name) => !known.includes(name))
  if (unknown !== undefined) {
    throw new CometError(
      'INVALID_OPTION',
      `There is no option ${JSON.stringify(unknown)} here, but ${known.join(', ')}.`,
    )
  }
}

/**
 * Answers a request for the stream or with a packet, by the response itself.
 *
 * @returns false for a request that is not ours and was not touched
 * @throws what `identify` threw; nothing was answered then
 */
export async function serve(comet: CometGate, exchange: Exchange): Promise<boolean> {
  const outcome = await handle(comet, exchange)
  if (outcome === undefined) return false
  if (outcome !== 'taken') send(exchange.res, outcome)
  return true
}

/** All requests for a stream. Comet gathers them once more when they are identified, which takes each its own time. */
const gathering = new Gathering()

/** See {@link handle}. */
type Outcome = Answer | 'taken' | undefined

/**
 * Handles a request for the stream or with a packet.
 *
 * @returns the answer to send; `'taken'` when the response is a stream, or over; undefined for a request that is not
 *   ours
 * @throws what `identify` threw (by rejecting); nothing was answered then
 */
export function handle(comet: CometGate, exchange: Exchange): Outcome | Promise<Outcome> {
  const { req, url } = exchange
  // Only the first question mark divides; a query may have more (RFC 3986, section 3.4).
  const queryAt = url.indexOf('?')
  const path = queryAt < 0 ? url : url.slice(0, queryAt)
  const sid = path.slice(1)
  const isStream = sid === ''
  const { method } = req
  if (method === 'OPTIONS' || !(isStream || ownerOf(sid) !== undefined)) return undefined
  const allowed = isStream ? 'GET' : 'POST'
  if (method !== allowed) return errorAnswer(new CometError('METHOD_NOT_ALLOWED'), { Allow: allowed })
  const { headers } = req
  if (headers['sec-fetch-site'] === 'cross-site' && !exchange.crossSite) {
    return errorAnswer(
      new CometError('CROSS_SITE', 'Pages of other sites may not connect (option crossSite).'),
    )
  }
  if (!isStream) return takePacket(comet, exchange, sid)
  return openStream(comet, exchange, headers, new URLSearchParams(url.slice(path.length)))
}

async function openStream(
  comet: CometGate,
  { req, res, identify }: Exchange,
  headers: IncomingHttpHeaders,
  query: URLSearchParams,
): Promise<Answer | 'taken'> {
  if (!/text\/event-stream|\*\/\*/i.test(headers.accept ?? '*/*')) {
    return errorAnswer(new CometError('NOT_ACCEPTABLE'))
  }
  await gathering.join()
  const identity = await identify()
  const transport = new ResponseTransport(req, res)
  const clientId = query.get('clientId')
  const position = lastEventId(headers) ?? query.get('lastEventId')
  try {
    await comet.connect({
      identity,
      transport,
      rids: query.getAll('rid').filter((rid) => rid !== ''),
      ...(clientId ? { clientId } : {}),
      ...(position ? { position } : {}),
      recent: countOf(query.get('recent')),
      answersHeartbeats: query.get('hb') === '1',
    })
  } catch (error) {
    if (transport.closed) return 'taken'
    if (!isForClient(error)) throw error
    if (!error.notNow) return errorAnswer(error)
    answerNotNow(transport, error, comet.limits.retry)
  }
  return 'taken'
}

async function takePacket(
  comet: CometGate,
  { req, res, identify, parsed }: Exchange,
  sid: string,
): Promise<Answer | 'taken'> {
  const { body } = parsed as { body?: unknown }
  const identity = await identify()
  if (isOver(connectionOf(req), res)) return 'taken'
  const answer = await answerPacket(comet, req, body, sid, identity)
  return isOver(connectionOf(req), res) ? 'taken' : answer
}

async function answerPacket(
  comet: CometGate,
  req: Request,
  body: unknown,
  sid: string,
  identity: Identified,
): Promise<Answer> {
  try {
    if (isNobody(identity)) throw new CometError('UNAUTHENTICATED')
    const packet = await readJson(req, body, comet.limits.maxUplinkBytes)
    return answerOf(await comet.uplink({ sid, identity, packet }))
  } catch (error) {
    if (!isForClient(error)) throw error
    return errorAnswer(error)
  }
}

/** EventSource sends it in UTF-8, which Node reads as Latin-1 (WHATWG HTML 9.2.3). */
function lastEventId(headers: IncomingHttpHeaders): string | undefined {
  const header = headers['last-event-id']
  return typeof header === 'string' && header !== '' ? Buffer.from(header, 'latin1').toString() : undefined
}

function countOf(text: string | null): number {
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : 0
}

/** What the host did wrong goes the way of its own errors. */
function isForClient(error: unknown): error is CometError {
  return isCometError(error) && error.code !== 'INVALID_IDENTITY'
}

/**
 * What `identify` threw, for a `next` to take: nothing, and Express' words `'route'` and `'router'`, would let the
 * request pass.
 */
export function asError(thrown: unknown): unknown {
  if (thrown && thrown !== 'route' && thrown !== 'router') return thrown
  return new CometError(
    'INTERNAL',
    `identify threw ${typeof thrown === 'string' ? JSON.stringify(thrown) : kindOf(thrown)}.`,
    { cause: thrown },
  )
}
