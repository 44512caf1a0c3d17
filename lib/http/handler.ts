import { debug } from '../diagnostics.ts'
import { CometError } from '../errors.ts'
import { issuerOf } from '../ids.ts'
import { type Answer, errorAnswer, send } from './answer.ts'
import type { AdapterComet, Exchange, Taken } from './exchange.ts'
import { takePacket } from './packet-request.ts'
import { openStream } from './stream-request.ts'
import { turnOf } from './turn.ts'

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
 * @throws what `identify` threw, or INVALID_IDENTITY (by rejecting); nothing was answered then
 */
export function handle(comet: AdapterComet, exchange: Exchange): Outcome | Promise<Outcome> {
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
  const proceed = () =>
    isStream
      ? openStream(comet, exchange, headers, new URLSearchParams(url.slice(path.length)))
      : takePacket(comet, exchange, sid)
  const turn = turnOf(req, exchange.res)
  return turn === true ? proceed() : turn.then((isNext) => (isNext ? proceed() : drop(exchange)))
}

/** Drops a request that can never be answered. */
function drop({ req }: Exchange): Taken {
  debug('request dropped: a stream is before it on its connection')
  // Node.js would stop to read the connection, and not see its end.
  req.resume()
  return 'taken'
}

function refuse(error: CometError, headers?: Record<string, string>): Answer {
  debug('request refused: %s', error.code)
  return errorAnswer(error, headers)
}
