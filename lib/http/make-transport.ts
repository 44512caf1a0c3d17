import { Http1Transport } from './http1-transport.ts'
import { Http2Transport } from './http2-transport.ts'
import { type Connection, connectionOf, isHttp2, type Request, type Response } from './messages.ts'
import type { ResponseTransport } from './response-transport.ts'

/** Makes the Transport of a response. @param closing aborted when the Comet closes */
export function makeTransport(req: Request, res: Response, closing: AbortSignal): ResponseTransport {
  if (isHttp2(res)) return new Http2Transport(res, closing)
  return new Http1Transport(connectionOf(req) as Connection, res, closing)
}
