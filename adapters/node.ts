import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { errorAnswer, send } from '../lib/http/answer.ts'
import { type AdapterComet, asError, checkHttpOptions, type HttpOptions } from '../lib/http/exchange.ts'
import { serve } from '../lib/http/handler.ts'
import { below, mountOf } from '../lib/http/mount.ts'
import { CometError } from '../lib/index.ts'

type Request = IncomingMessage | Http2ServerRequest
type Response = ServerResponse | Http2ServerResponse

/** Options of {@link cometHandler}. */
export interface CometHandlerOptions extends HttpOptions<Request> {
  /** Where the stream is. Default: `'/'`. */
  readonly path?: string
}

/**
 * A request listener for `node:http` and `node:http2`, or a Connect-style middleware.
 *
 * Without a `next`, a request that is not for Comet is answered with 404, and an error with 500 and to `'error'`.
 */
export function cometHandler(
  comet: AdapterComet,
  options: CometHandlerOptions,
): (req: Request, res: Response, next?: (error?: unknown) => void) => void {
  checkHttpOptions(comet, options, ['path'])
  const { identify, crossSite = false, path = '/' } = options
  const mount = mountOf(path)
  return async (req, res, next) => {
    let ours = false
    try {
      const url = below(mount, req.url ?? '/')
      const exchange = { req, res, parsed: req, crossSite, identify: () => identify(req) }
      ours = url !== undefined && (await serve(comet, { ...exchange, url }))
    } catch (error) {
      if (next === undefined) fail(comet, res, error)
      else next(asError(error))
      return
    }
    if (ours) return
    if (next === undefined) res.writeHead(404).end()
    else next()
  }
}

function fail(comet: AdapterComet, res: Response, error: unknown): void {
  comet.report(error)
  if (res.headersSent) res.end()
  else send(res, errorAnswer(new CometError('INTERNAL')))
}
