import type { CometError } from '../errors.ts'
import { WriteBatch } from '../ports/write-batch.ts'
import { encodeBlock } from '../stream/sse.ts'
import type { Response } from './messages.ts'
import type { ResponseTransport } from './response-transport.ts'

/** The least reconnect delay of a temporary answer, in milliseconds. Jitter may have picked a shorter one. */
const LEAST_PAUSE_MS = 1_000

/** An answer that is no stream. Each adapter sends it in its framework's own way. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** The body. Undefined: the answer has none. */
  readonly json?: string
}

/** Makes a 200 with JSON, or without it a 204. */
export function answerOf(json: string | undefined): Answer {
  return json === undefined ? build(204) : build(200, json)
}

/** Makes the answer to a request that failed: `{ error: { code, message } }` with the status of the code. */
export function errorAnswer(
  { code, message, status = 500 }: CometError,
  headers: Record<string, string> = {},
): Answer {
  if (status === 204) return build(status)
  const more = code === 'TOO_MANY_PACKETS' ? { ...headers, 'Retry-After': '1' } : headers
  return build(status, JSON.stringify({ error: { code, message } }), more)
}

function build(status: number, json?: string, headers: Record<string, string> = {}): Answer {
  if (json === undefined) return { status, headers: { 'Cache-Control': 'no-store', ...headers } }
  const type = { 'Content-Type': 'application/json; charset=utf-8' }
  return { status, headers: { 'Cache-Control': 'no-store', ...type, ...headers }, json }
}

/** Sends an answer through the response itself. */
export function send(res: Response, { status, headers, json }: Answer): void {
  res.statusCode = status
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
  if (json === undefined) res.end()
  else res.end(json)
}

/**
 * Sends the temporary answer, for a client that should come back: a stream that ends at once. After an error status
 * EventSource would never try again (WHATWG HTML, section 9.2.3, "fail the connection").
 */
export function answerTemporary(transport: ResponseTransport, error: CometError, retry: number): void {
  const { code, message } = error
  const data = JSON.stringify({ code, reason: message, reconnect: true })
  const block = encodeBlock({ event: 'comet.close', retry: Math.max(retry, LEAST_PAUSE_MS), data })
  transport.open(new WriteBatch([block]))
  transport.end()
}
