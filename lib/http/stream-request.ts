import type { IncomingHttpHeaders } from 'node:http'
import { debug } from '../diagnostics.ts'
import { CometError } from '../errors.ts'
import { isNobody } from '../session/identity.ts'
import { ConnectBatcher } from '../util/connect-batcher.ts'
import { acceptsEventStream } from './accept.ts'
import { type Answer, answerTemporary, errorAnswer } from './answer.ts'
import { type AdapterComet, type Exchange, isForClient, type Taken } from './exchange.ts'
import { ExpressSession } from './express-session.ts'
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
  { req, res, identify, transport: makeTransport }: Exchange,
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
  const { lastEventId, clientId, ...rest } = asked
  const session = ExpressSession.of(req, res)
  await connectBatcher.join()
  const identity = await identify()
  const transport = makeTransport?.() ?? new ResponseTransport(req, res)
  try {
    if (!isNobody(identity)) await session?.store((error) => comet.report(error))
    const position = lastEventIdOf(headers) ?? lastEventId
    await comet.connect({
      identity,
      transport,
      ...rest,
      ...(clientId === undefined ? {} : { clientId }),
      ...(position === undefined ? {} : { position }),
    })
  } catch (error) {
    // Nobody is left to be told.
    if (transport.closed) return 'taken'
    if (!isForClient(error)) throw error
    if (!error.temporary) return refuse(error)
    debug('session refused for now: %s %j', error.code, error.message)
    answerTemporary(transport, error, comet.limits.retry)
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
