import type { CometError } from '../errors.ts'
import { encodeBlock } from '../sse.ts'
import type { Response } from './messages.ts'
import type { ResponseTransport } from './response-transport.ts'

/** What passes does not pass sooner; the jitter may have taken a pause below this. */
const LEAST_PAUSE_MS = 1_000

/** Answers with JSON, or without it with 204. */
export function answer(res: Response, json: string | undefined): void {
  if (json === undefined) end(res, 204, {})
  else end(res, 200, {}, json)
}

/** Answers a request that failed: `{ error: { code, message } }` with the status of the code. */
export function answerError(res: Response, error: CometError, headers: Record<string, string> = {}): void {
  const { code, message, status } = error
  if (status === 204) {
    end(res, status, headers)
    return
  }
  const more = code === 'TOO_MANY_PACKETS' ? { ...headers, 'Retry-After': '1' } : headers
  end(res, status, more, JSON.stringify({ error: { code, message } }))
}

/**
 * Sends a client away that should come back: a stream that ends at once. After an error status EventSource would
 * never try again (WHATWG HTML 9.2.3, "fail the connection").
 */
export function answerNotNow(transport: ResponseTransport, error: CometError, retry: number): void {
  const { code, message } = error
  const data = JSON.stringify({ code, reason: message, reconnect: true })
  transport.open()
  transport.write(encodeBlock({ event: 'comet.close', retry: Math.max(retry, LEAST_PAUSE_MS), data }))
  transport.end()
}

function end(res: Response, status: number, headers: Record<string, string>, json?: string): void {
  res.statusCode = status
  res.setHeader('Cache-Control', 'no-store')
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
  if (json === undefined) {
    res.end()
    return
  }
  res.setHeader('Content-Type', 'application/json; charset=utf-8')
  res.end(json)
}
