import type { IncomingHttpHeaders } from 'node:http'
import { debug } from '../diagnostics.ts'
import { CometError } from '../errors.ts'
import type { DisconnectWatch } from '../session/disconnect-log.ts'
import { type Identified, isNobody } from '../session/identity.ts'
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
  const session = ExpressSession.of(exchange.req, exchange.res)
  const watch = comet.watchDisconnects()
  try {
    await connectBatcher.join()
    const identity = await exchange.identify()
    const position = lastEventIdOf(headers) ?? asked.lastEventId
    return await admit(comet, exchange, { identity, watch, position, asked, session })
  } finally {
    watch.end()
  }
}

/** A client, identified. */
interface Client {
  readonly identity: Identified
  readonly watch: DisconnectWatch
  readonly position: string | undefined
  readonly asked: StreamQuery
  readonly session: ExpressSession | undefined
}

async function admit(
  comet: AdapterComet,
  { req, res, transport: makeTransport }: Exchange,
  { identity, watch, position, asked, session }: Client,
): Promise<Answer | Taken> {
  const transport = makeTransport?.() ?? new ResponseTransport(req, res, comet.closing)
  const { rids, clientId, recent, answersHeartbeats } = asked
  try {
    if (session !== undefined && !isNobody(identity)) await session.store((error) => comet.report(error))
    await comet.connect({
      identity,
      transport,
      rids,
      clientId,
      position,
      recent,
      answersHeartbeats,
      watch,
    })
  } catch (error) {
    // Nobody is left to be told.
    if (transport.closed) return 'taken'
    if (!isForClient(error)) throw error
    if (!error.temporary) return refuse(error)
    debug('session refused for now: %s %j', error.code, error.message)
    // `server.close()` would wait for the connection. Over HTTP/2 the transport tells it to take no more requests.
    const isLast = comet.closing.aborted && !isHttp2(res)
    return temporaryAnswer(error, comet.limits.retry, position, isLast ? { Connection: 'close' } : {})
  }
  if (transport.failed !== undefined) throw transport.failed.error
  return 'taken'
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
