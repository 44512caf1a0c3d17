import { debug } from '../diagnostics.ts'
import { CometError } from '../errors.ts'
import { type Identified, isNobody } from '../session/identity.ts'
import { type Answer, answerOf, errorAnswer } from './answer.ts'
import { readJson } from './body.ts'
import { type AdapterComet, type Exchange, isForClient, type Taken } from './exchange.ts'
import { connectionOf, isOver, type Request } from './messages.ts'

/**
 * Handles a request with a packet: has the session's node handle the packet, and makes the answer.
 *
 * @throws what `identify` threw, or INVALID_IDENTITY; nothing was answered then
 */
export async function takePacket(
  comet: AdapterComet,
  { req, res, identify, parsed }: Exchange,
  sid: string,
): Promise<Answer | Taken> {
  const { body } = parsed as { body?: unknown }
  const identity = await identify()
  // The client may have gone, or the app may have answered.
  if (isOver(connectionOf(req), res)) return 'taken'
  const answer = await answerPacket(comet, req, body, sid, identity)
  return isOver(connectionOf(req), res) ? 'taken' : answer
}

async function answerPacket(
  comet: AdapterComet,
  req: Request,
  body: unknown,
  sid: string,
  identity: Identified,
): Promise<Answer> {
  try {
    if (isNobody(identity)) throw new CometError('UNAUTHENTICATED')
    // Before the body is read, which may take as long as the client likes.
    await comet.checkSender({ sid, identity })
    const packet = await readJson(req, body, comet.limits.maxPacketBytes)
    return answerOf(await comet.receive({ sid, identity, packet }))
  } catch (error) {
    if (!isForClient(error)) throw error
    debug('packet to session %s refused: %s %j', sid, error.code, error.message)
    return errorAnswer(error, endsConnection(req, error) ? { Connection: 'close' } : {})
  }
}

/** Tells whether a connection over HTTP/1 has to end: the rest of a body that is late would be in the way. */
function endsConnection(req: Request, { code }: CometError): boolean {
  return code === 'BODY_TIMEOUT' && connectionOf(req) !== undefined
}
