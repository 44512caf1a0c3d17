import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** A request over HTTP/1, or over HTTP/2 by Node.js's compatibility API. */
export type Request = IncomingMessage | Http2ServerRequest

/** The response to a {@link Request}. */
export type Response = ServerResponse | Http2ServerResponse

/**
 * What carries an HTTP/1 connection: a socket, or any Duplex that the app has given to its server
 * (`server.emit('connection', duplex)`), which may lack the methods of sockets.
 */
export type Connection = Duplex & Partial<Pick<Socket, 'setTimeout' | 'setNoDelay' | 'destroySoon'>>

/** Tells whether a response is one of HTTP/2, which uses a stream and has no socket of its own. */
export function isHttp2(res: Response): res is Http2ServerResponse {
  return res.req.httpVersionMajor === 2
}

/** Finds the connection of a request. @returns undefined for HTTP/2, where many requests share one */
export function connectionOf(req: Request): Connection | undefined {
  return req.httpVersionMajor === 2 ? undefined : (req.socket as Connection)
}

/**
 * Tells whether the client is gone or the response over. The request's own `destroyed` is of no use: Node.js sets it
 * once a body was read.
 *
 * @param connection the request's connection. A response that waits behind another one (pipelining) has none yet
 */
export function isOver(connection: Connection | undefined, res: Response): boolean {
  if (connection !== undefined) return connection.destroyed || res.destroyed || res.writableEnded
  const { stream } = res as Http2ServerResponse
  // After a reset with NO_ERROR Node.js may never destroy the stream, but it is closed at once.
  return stream === undefined || stream.destroyed || stream.closed || res.writableEnded
}
