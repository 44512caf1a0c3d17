import type { IncomingHttpHeaders } from 'node:http'
import { debug } from '../diagnostics.ts'
import { CometError } from '../errors.ts'
import type { ConnectRequest } from '../operations/connect.ts'
import { ConnectBatcher } from '../util/connect-batcher.ts'
import { type Answer, errorAnswer, temporaryAnswer } from './answer.ts'
import { type AdapterComet, type Exchange, isForClient, type Taken } from './exchange.ts'
import { isHttp2 } from './messages.ts'
import { ResponseTransport } from './response-transport.ts'

/**
 * Batches all stream requests of the process before `identify`. The node batches them once more after `canEnter`,
 * because `identify` and `canEnter` take a different time for each request.
 */
const connectBatcher = new ConnectBatcher()

/**
 * Handles a request for the stream: opens the stream, or makes the answer that refuses it.
 *
 * @throws what `identify` threw, or INVALID_IDENTITY; nothing was answered then
 */
export async function openStream(
  comet: AdapterComet,
  exchange: Exchange,
  headers: IncomingHttpHeaders,
  query: URLSearchParams,
): Promise<Answer | Taken> {
  if (!/text\/event-stream|\*\/\*/i.test(headers.accept ?? '*/*')) {
    return refuse(new CometError('NOT_ACCEPTABLE'))
  }
  const watch = comet.watchDisconnects()
  try {
    await connectBatcher.join()
    return await admit(comet, exchange, headers, query, { identity: await exchange.identify(), watch })
  } finally {
    watch.end()
  }
}

async function admit(
  comet: AdapterComet,
  { req, res }: Exchange,
  headers: IncomingHttpHeaders,
  query: URLSearchParams,
  who: Pick<ConnectRequest, 'identity' | 'watch'>,
): Promise<Answer | Taken> {
  const transport = new ResponseTransport(req, res, comet.closing)
  const clientId = query.get('clientId')
  const position = lastEventId(headers) ?? (query.get('lastEventId') || undefined)
  try {
    await comet.connect({
      ...who,
      transport,
      rids: query.getAll('rid').filter((rid) => rid !== ''),
      ...(clientId ? { clientId } : {}),
      ...(position === undefined ? {} : { position }),
      recent: countOf(query.get('recent')),
      answersHeartbeats: query.get('hb') === '1',
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
  return 'taken'
}

function refuse(error: CometError): Answer {
  debug('session refused: %s %j', error.code, error.message)
  return errorAnswer(error)
}

/**
 * Reads Last-Event-ID. EventSource sends it in UTF-8 (WHATWG HTML, section 9.2.3); Node.js decodes headers as Latin-1.
 */
function lastEventId(headers: IncomingHttpHeaders): string | undefined {
  const header = headers['last-event-id']
  return typeof header === 'string' && header !== '' ? Buffer.from(header, 'latin1').toString() : undefined
}

function countOf(text: string | null): number {
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : 0
}
