import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { Socket } from 'node:net'

/** A request over HTTP/1, or over HTTP/2 by Node.js's compatibility API. */
export type Request = IncomingMessage | Http2ServerRequest

/** The response to a {@link Request}. */
export type Response = ServerResponse | Http2ServerResponse

/** Tells whether a response is one of HTTP/2, which uses a stream and has no socket of its own. */
export function isHttp2(res: Response): res is Http2ServerResponse {
  return res.req.httpVersionMajor === 2
}

/** Finds the socket of a request. @returns undefined for HTTP/2, where many requests share one */
export function connectionOf(req: Request): Socket | undefined {
  return req.httpVersionMajor === 2 ? undefined : (req.socket as Socket)
}

/**
 * Tells whether the client is gone or the response over. The request's own `destroyed` is of no use: Node.js sets it
 * once a body was read.
 *
 * @param connection the request's socket. A response that waits behind another one (pipelining) has none yet
 */
export function isOver(connection: Socket | undefined, res: Response): boolean {
  if (connection !== undefined) return connection.destroyed || res.destroyed || res.writableEnded
  const { stream } = res as Http2ServerResponse
  return stream === undefined || stream.destroyed || res.writableEnded
}
