import type { Requests } from './core.ts'
import { type CometClientError, isClientError, networkError } from './errors.ts'
import { type Block, EventStreamParser } from './parser.ts'
import { type Reaction, reactionToStatus } from './reactions.ts'
import { errorOf, retryAfterOf } from './requests.ts'

/** How a stream, or the request for one, has ended, and what to do now. */
export interface Ending {
  readonly reaction: Reaction
  readonly error: CometClientError
  /** The time that the server asked to wait, in milliseconds. */
  readonly after?: number
  /** Whether the head of a response came, and then nothing for the whole time. */
  readonly hasNoData?: boolean
}

/** Reads the response to a request for a stream to its end. @param onPiece bytes have come, which are parsed then */
export async function readStream(
  request: Promise<Response>,
  requests: Requests,
  signal: AbortSignal,
  onPiece: () => void,
  onBlock: (block: Block) => void,
  onRetry: (milliseconds: number) => void,
): Promise<Ending> {
  let hasNoData = false
  try {
    const response = await request
    const { status, headers, body } = response
    if (status !== 200 || !body || !headers.get('content-type')?.startsWith('text/event-stream')) {
      const error = await errorOf(response, requests)
      return { reaction: reactionToStatus(status, error.code), error, after: retryAfterOf(response) }
    }
    hasNoData = true
    const parser = new EventStreamParser(onBlock, onRetry)
    const reader = body.getReader()
    // The next read is asked for before a piece is handed out, with nothing asynchronous between: WebKit builds of 2026
    // strand a piece that arrives while no read is pending (its bugs 319542 and 322545).
    let reading = reader.read()
    for (let piece = await reading; !piece.done; piece = await reading) {
      reading = reader.read()
      // The stream may be given up with this piece. Then nobody awaits the next one.
      reading.catch(() => {})
      onPiece()
      parser.push(piece.value)
    }
    return { reaction: 'retry', error: networkError('The stream ended.') }
  } catch (cause) {
    // The function for headers may end the client by such an error.
    if (isClientError(cause)) return { reaction: 'close', error: cause }
    const error = networkError('The stream failed.', cause)
    return { reaction: 'retry', error, hasNoData: hasNoData && signal.aborted }
  }
}
