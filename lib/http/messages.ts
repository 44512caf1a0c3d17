import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { Socket } from 'node:net'

/** A request over HTTP/1 or, by the compatibility API, HTTP/2. */
export type Request = IncomingMessage | Http2ServerRequest

/** The response to a {@link Request}. */
export type Response = ServerResponse | Http2ServerResponse

/** Tells the response of HTTP/2, which stands on a stream instead of a socket of its own. */
export function isHttp2(res: Response): res is Http2ServerResponse {
  return res.req.httpVersionMajor === 2
}

/** The socket that a request came on; undefined for HTTP/2, where many share one. */
export function connectionOf(req: Request): Socket | undefined {
  return req.httpVersionMajor === 2 ? undefined : (req.socket as Socket)
}

/**
 * Whether the client is gone or the response over.
 *
 * @param connection of the request: a response that waits behind another one (pipelining) has none yet. Of the request
 *   itself `destroyed` says nothing, it is set once a body was read.
 */
export function isOver(connection: Socket | undefined, res: Response): boolean {
  if (connection !== undefined) return connection.destroyed || res.destroyed || res.writableEnded
  const { stream } = res as Http2ServerResponse
  return stream === undefined || stream.destroyed || res.writableEnded
}
