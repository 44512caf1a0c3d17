import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'

/** A request over HTTP/1 or, by the compatibility API, HTTP/2. */
export type Request = IncomingMessage | Http2ServerRequest

/** The response to a {@link Request}. */
export type Response = ServerResponse | Http2ServerResponse

/** Tells the response of HTTP/2, which stands on a stream instead of a socket of its own. */
export function isHttp2(res: Response): res is Http2ServerResponse {
  return res.req.httpVersionMajor === 2
}

/**
 * Whether the client is gone or the response over. A response that waits behind another one on its connection
 * (pipelining) has no socket yet, but its request has; `req.destroyed` says nothing, it is set once a body was
 * read.
 */
export function isOver(req: Request, res: Response): boolean {
  if (isHttp2(res)) return res.stream === undefined || res.stream.destroyed || res.writableEnded
  return res.destroyed || res.writableEnded || req.socket.destroyed
}

/** Whether a request is over HTTP/1.1, the version with chunked bodies. */
export function isHttp1_1({ httpVersion }: Request): boolean {
  return httpVersion === '1.1'
}
