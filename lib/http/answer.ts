import type { CometError } from '../errors.ts'
import { firstBlockFor } from '../session/first-block.ts'
import { encodeBlock } from '../stream/sse.ts'
import { withoutSession } from './express-session.ts'
import type { Response } from './messages.ts'
import { HEADERS } from './response-transport.ts'

/** The least reconnect delay of a temporary answer, in milliseconds. Jitter may have picked a shorter one. */
const LEAST_PAUSE_MS = 1_000

/** The factor of the reconnect delay for a user that opens streams too fast. */
const RATE_FACTOR = 10

/** An answer that is no stream. Each adapter sends it in its framework's own way. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** The body. Undefined: the answer has none. */
  readonly body?: string | Buffer
}

/** Makes a 200 with JSON, or without it a 204. */
export function answerOf(json: string | undefined): Answer {
  return json === undefined ? build(204) : build(200, json)
}

/**
 * Makes the answer to a request that failed: `{ error: { code, message } }` with the status of the code, and with
 * `Retry-After` where a later request may succeed.
 */
export function errorAnswer(error: CometError, headers: Record<string, string> = {}): Answer {
  const { code, message, status = 500 } = error
  if (status === 204) return build(status)
  const more = status === 429 || status === 503 ? { ...headers, 'Retry-After': retryAfterOf(error) } : headers
  return build(status, JSON.stringify({ error: { code, message } }), more)
}

/** Reads when a request may be repeated, in whole seconds. An error may tell: in its property `retryAfter`. */
function retryAfterOf({ retryAfter }: CometError & { readonly retryAfter?: unknown }): string {
  const seconds = typeof retryAfter === 'number' && Number.isFinite(retryAfter) ? Math.ceil(retryAfter) : 1
  return String(Math.max(1, seconds))
}

function build(status: number, json?: string, headers: Record<string, string> = {}): Answer {
  if (json === undefined) return { status, headers: { 'Cache-Control': 'no-store', ...headers } }
  const type = { 'Content-Type': 'application/json; charset=utf-8' }
  return { status, headers: { 'Cache-Control': 'no-store', ...type, ...headers }, body: json }
}

/** Sends an answer through the response itself. */
export function send(res: Response, { status, headers, body }: Answer): void {
  res.statusCode = status
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
  if (body !== undefined) res.setHeader('Content-Length', Buffer.byteLength(body))
  // The overloads of HTTP/1 and HTTP/2 differ, and all of them take a status.
  const head: { writeHead(status: number): unknown } = res
  // Apart from the end, so that a session that was stored before still gets its cookie.
  head.writeHead(status)
  withoutSession(res, () => {
    if (body === undefined) res.end()
    else res.end(body)
  })
}

/**
 * Makes the temporary answer, for a client that should come back: a stream that ends at once. After an error status
 * EventSource would never try again (WHATWG HTML, section 9.2.3, "fail the connection"). Its length is known, so that
 * its connection can serve on.
 *
 * @param retry the reconnect delay, in milliseconds
 * @param position the position that the client brought
 * @param headers more headers of the answer
 */
export function temporaryAnswer(
  { code, message }: CometError,
  retry: number,
  position: string | undefined,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  const data = JSON.stringify({ code, reason: message, reconnect: true })
  const pause = Math.max(retry, LEAST_PAUSE_MS) * (code === 'TOO_MANY_CONNECTS' ? RATE_FACTOR : 1)
  const block = encodeBlock({ event: 'comet.close', retry: pause, data })
  const body = `${firstBlockFor(position) ?? ''}${block}`
  return { status: 200, headers: { ...Object.fromEntries(HEADERS), ...headers }, body }
}
