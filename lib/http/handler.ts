import { debug } from '../diagnostics.ts'
import { CometError } from '../errors.ts'
import { issuerOf } from '../ids.ts'
import { type Answer, errorAnswer, send } from './answer.ts'
import type { AdapterComet, Exchange, Taken } from './exchange.ts'
import type { Response } from './messages.ts'
import { takePacket } from './packet-request.ts'
import { readSid } from './query.ts'
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
  if (isToBeSent(outcome, exchange.res)) send(exchange.res, outcome)
  return true
}

/** Tells whether an answer is left to send: the app may have sent a head of its own meanwhile. */
export function isToBeSent(outcome: Answer | Taken, res: Response): outcome is Answer {
  return outcome !== 'taken' && !res.headersSent
}

/**
 * Handles a request for the stream, with a packet, or for the client.
 *
 * @returns the answer, for the adapter to send if {@link isToBeSent}
 * @throws what `identify` threw, INVALID_IDENTITY, or what a hook on the head threw (by rejecting); nothing was
 *   answered then
 */
export function handle(comet: AdapterComet, exchange: Exchange): Outcome | Promise<Outcome> {
  const { req, url } = exchange
  // Only the first question mark separates path and query; the query may have more (RFC 3986, section 3.4).
  const queryAt = url.indexOf('?')
  const path = queryAt < 0 ? url : url.slice(0, queryAt)
  const sid = path.slice(1)
  const isMount = sid === ''
  const { method } = req
  // OPTIONS is left to the app's CORS middleware.
  if (method === 'OPTIONS') return undefined
  if (!isMount && issuerOf(sid) === undefined) return answerClient(exchange, path)
  const query = new URLSearchParams(url.slice(path.length))
  if (isMount && method === 'POST') return routeBySid(comet, exchange, query)
  const allowed = isMount ? 'GET' : 'POST'
  if (method !== allowed) return refuse(new CometError('METHOD_NOT_ALLOWED'), { Allow: allowed })
  if (isForeign(exchange)) return refuse(crossSite())
  return inTurn(exchange, () =>
    isMount ? openStream(comet, exchange, req.headers, query) : takePacket(comet, exchange, sid),
  )
}

/** Answers a request for the client, if it is one and the client is served. */
function answerClient(exchange: Exchange, path: string): Outcome {
  const { req, client } = exchange
  const isAsked = path === '/client.js' && (req.method === 'GET' || req.method === 'HEAD')
  if (client === undefined || !isAsked) return undefined
  return isForeign(exchange) ? refuse(crossSite()) : client.answer(req.headers['if-none-match'])
}

/** Handles a request when its turn on its connection has come. One whose turn never comes is dropped. */
function inTurn(exchange: Exchange, proceed: () => Promise<Outcome>): Promise<Outcome> {
  const turn = turnOf(exchange.req, exchange.res)
  return turn === true ? proceed() : turn.then((isNext) => (isNext ? proceed() : drop(exchange)))
}

function drop({ req }: Exchange): Taken {
  debug('request dropped: a stream is before it on its connection')
  // Node.js would stop to read the connection, and not see its end.
  req.resume()
  return 'taken'
}

/** Handles a packet to `<mount>?sid=<sid>`: a route of a framework may match the mount only. */
function routeBySid(
  comet: AdapterComet,
  exchange: Exchange,
  query: URLSearchParams,
): Outcome | Promise<Outcome> {
  let sid: string | undefined
  try {
    sid = readSid(query)
  } catch (error) {
    return refuse(error as CometError)
  }
  if (sid === undefined) {
    const hint = 'A packet goes to <mount>/<sid>, or to <mount>?sid=<sid>.'
    return refuse(new CometError('METHOD_NOT_ALLOWED', hint), { Allow: 'GET' })
  }
  if (isForeign(exchange)) return refuse(crossSite())
  if (issuerOf(sid) === undefined) return refuse(new CometError('NO_SUCH_SESSION'))
  const known = sid
  return inTurn(exchange, () => takePacket(comet, exchange, known))
}

function isForeign({ req, crossSite }: Exchange): boolean {
  return req.headers['sec-fetch-site'] === 'cross-site' && !crossSite
}

function crossSite(): CometError {
  return new CometError('CROSS_SITE', 'Pages of other sites may not connect (option crossSite).')
}

function refuse(error: CometError, headers?: Record<string, string>): Answer {
  debug('request refused: %s', error.code)
  return errorAnswer(error, headers)
}
