import { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Whether the chunks of a response's body may be written past the response to the socket of its request, now that its
 * head is out.
 *
 * That is safe where the bytes that the response would write are known: the body is chunked (RFC 9112, section 7.1),
 * in no coding, and must not be transformed, and nobody has put something of their own in the place of `write`. The
 * compression middleware has, but writes as Node does where there is no coding.
 *
 * @returns false where the response must be used: for HTTP/1.0, for one that waits behind another on its connection,
 *   and where any of the above does not hold
 */
export function isDirect(res: ServerResponse, socket: Socket): boolean {
  if (res.socket !== socket) return false
  const headers = res.getHeaders()
  return (
    headers['transfer-encoding'] === 'chunked' &&
    headers['content-encoding'] === undefined &&
    String(headers['cache-control']).includes('no-transform') &&
    (res.write === ServerResponse.prototype.write || isCompression(res))
  )
}

/** It gives a response the method `flush`, together with a `write` of its own. */
function isCompression(res: ServerResponse & { flush?: unknown }): boolean {
  return typeof res.flush === 'function'
}
