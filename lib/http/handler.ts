import { debug } from '../diagnostics.ts'
import { CometError } from '../errors.ts'
import { issuerOf } from '../ids.ts'
import { type Answer, errorAnswer, send } from './answer.ts'
import type { AdapterComet, Exchange, Taken } from './exchange.ts'
import { takePacket } from './packet-request.ts'
import { openStream } from './stream-request.ts'

/** The result of a request. Undefined: the request is not for Comet. */
type Outcome = Answer | Taken | undefined

/**
 * Handles a request, and sends the answer by `res.end`: for adapters without a way of their own.
 *
 * @returns false for a request that is not for Comet; nothing was read or written then
 * @throws what `identify` threw, or INVALID_IDENTITY; nothing was answered then
 */
export async function serve(comet: AdapterComet, exchange: Exchange): Promise<boolean> {
  const outcome = await handle(comet, exchange)
  if (outcome === undefined) return false
  if (outcome !== 'taken') send(exchange.res, outcome)
  return true
}

/**
 * Handles a request for the stream, or with a packet.
 *
 * @returns the answer, for the adapter to send
 * @throws what `identify` threw, INVALID_IDENTITY, or what a hook on the head threw (by rejecting); nothing was
 *   answered then
 */
export async function handle(comet: AdapterComet, exchange: Exchange): Promise<Outcome> {
  const outcome = await route(comet, exchange)
  // The app may have sent a head of its own meanwhile.
  return outcome !== undefined && exchange.res.headersSent ? 'taken' : outcome
}

function route(comet: AdapterComet, exchange: Exchange): Outcome | Promise<Outcome> {
  const { req, url } = exchange
  // Only the first question mark separates path and query; the query may have more (RFC 3986, section 3.4).
  const queryAt = url.indexOf('?')
  const path = queryAt < 0 ? url : url.slice(0, queryAt)
  const sid = path.slice(1)
  const isStream = sid === ''
  const { method } = req
  // OPTIONS is left to the app's CORS middleware.
  if (method === 'OPTIONS' || !(isStream || issuerOf(sid) !== undefined)) return undefined
  const allowed = isStream ? 'GET' : 'POST'
  if (method !== allowed) return refuse(new CometError('METHOD_NOT_ALLOWED'), { Allow: allowed })
  const { headers } = req
  if (headers['sec-fetch-site'] === 'cross-site' && !exchange.crossSite) {
    return refuse(new CometError('CROSS_SITE', 'Pages of other sites may not connect (option crossSite).'))
  }
  if (!isStream) return takePacket(comet, exchange, sid)
  return openStream(comet, exchange, headers, new URLSearchParams(url.slice(path.length)))
}

function refuse(error: CometError, headers?: Record<string, string>): Answer {
  debug('request refused: %s', error.code)
  return errorAnswer(error, headers)
}
