import type { IncomingHttpHeaders } from 'node:http'
import { debug } from '../diagnostics.ts'
import { type ClientError, CometError } from '../errors.ts'
import { isNobody } from '../session/identity.ts'
import { ConnectBatcher } from '../util/connect-batcher.ts'
import { acceptsEventStream } from './accept.ts'
import { type Answer, errorAnswer, temporaryAnswer } from './answer.ts'
import { type AdapterComet, type Exchange, isForClient, type Taken } from './exchange.ts'
import { ExpressSession } from './express-session.ts'
import { isHttp2 } from './messages.ts'
import { readStreamQuery, type StreamQuery } from './query.ts'
import { ResponseTransport } from './response-transport.ts'

/**
 * Batches all stream requests of the process before `identify`. The node batches them once more after `canEnter`,
 * because `identify` and `canEnter` take a different time for each request.
 */
const connectBatcher = new ConnectBatcher()

/**
 * Handles a request for the stream: opens the stream, or makes the answer that refuses it.
 *
 * @throws what `identify` threw, INVALID_IDENTITY, or what a middleware's hook on the head threw; nothing was answered
 *   then
 */
export async function openStream(
  comet: AdapterComet,
  exchange: Exchange,
  headers: IncomingHttpHeaders,
  query: URLSearchParams,
): Promise<Answer | Taken> {
  if (!acceptsEventStream(headers.accept)) return refuse(new CometError('NOT_ACCEPTABLE'))
  let asked: StreamQuery
  try {
    asked = readStreamQuery(query)
  } catch (error) {
    return refuse(error as CometError)
  }
  const { req, res } = exchange
  const session = ExpressSession.of(req, res)
  const { rids, clientId, recent, requestNumber, answersHeartbeats } = asked
  const position = lastEventIdOf(headers) ?? asked.lastEventId
  const watch = comet.watchDisconnects()
  let transport: ResponseTransport | undefined
  try {
    await connectBatcher.join()
    const identity = await exchange.identify()
    transport = exchange.transport?.() ?? new ResponseTransport(req, res, comet.closing)
    if (session !== undefined && !isNobody(identity)) await session.store((error) => comet.report(error))
    await comet.connect({
      identity,
      transport,
      rids,
      clientId,
      position,
      recent,
      requestNumber,
      answersHeartbeats,
      watch,
    })
  } catch (error) {
    if (transport === undefined) throw error
    // Nobody is left to be told.
    if (transport.closed) return 'taken'
    if (!isForClient(error)) throw error
    return error.temporary ? postpone(comet, exchange, error, position) : refuse(error)
  } finally {
    watch.end()
  }
  if (transport.failed !== undefined) throw transport.failed.error
  return 'taken'
}

/** Makes the answer to a client that may come back later. */
function postpone(
  comet: AdapterComet,
  { res }: Exchange,
  error: ClientError,
  position: string | undefined,
): Answer {
  debug('session refused for now: %s %j', error.code, error.message)
  // `server.close()` would wait for the connection. Over HTTP/2 the transport tells it to take no more requests.
  const isLast = comet.closing.aborted && !isHttp2(res)
  return temporaryAnswer(error, comet.limits.retry, position, isLast ? { Connection: 'close' } : {})
}

function refuse(error: CometError): Answer {
  debug('session refused: %s %j', error.code, error.message)
  return errorAnswer(error)
}

/**
 * Reads Last-Event-ID. EventSource sends it in UTF-8 (WHATWG HTML, section 9.2.3); Node.js decodes headers as Latin-1.
 */
function lastEventIdOf(headers: IncomingHttpHeaders): string | undefined {
  const header = headers['last-event-id']
  return typeof header === 'string' && header !== '' ? Buffer.from(header, 'latin1').toString() : undefined
}
