import { ServerResponse } from 'node:http'
import type { Connection } from './messages.ts'

/**
 * Tells whether the chunks of a response may be written to its connection, past the response, now that its head is out.
 *
 * That is safe where the bytes that the response would write are known: the body is chunked (RFC 9112, section 7.1),
 * without a Content-Encoding, must not be transformed, and nobody has replaced `write`. The compression middleware has
 * replaced it, but writes as Node does where it does not compress.
 *
 * @returns false where the response must be used: for HTTP/1.0, and where any of the above does not hold
 */
export function mayBypassResponse(res: ServerResponse, connection: Connection): boolean {
  return (
    res.socket === connection &&
    res.chunkedEncoding === true &&
    res.getHeader('Content-Encoding') === undefined &&
    String(res.getHeader('Cache-Control')).includes('no-transform') &&
    (res.write === ServerResponse.prototype.write || isCompression(res))
  )
}

/** Recognizes the compression middleware: it adds the method `flush` together with its own `write`. */
function isCompression(res: ServerResponse & { flush?: unknown }): boolean {
  return typeof res.flush === 'function'
}
