import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { errorAnswer, send } from '../lib/http/answer.ts'
import { type AdapterComet, asError, checkHttpOptions, type HttpOptions } from '../lib/http/exchange.ts'
import { checkExpressRoute, expressRouteOf } from '../lib/http/express-route.ts'
import { serve } from '../lib/http/handler.ts'
import { belowTwice, mountOf } from '../lib/http/mount.ts'
import { belowRoute, register } from '../lib/http/route.ts'
import { CometError } from '../lib/index.ts'

type Request = IncomingMessage | Http2ServerRequest
type Response = ServerResponse | Http2ServerResponse

/** Options of {@link cometHandler}. */
export interface CometHandlerOptions<Req = Request, Info = unknown> extends HttpOptions<Req, Info> {
  /**
   * The path of the stream. It starts with `/`.
   *
   * @default '/'
   */
  readonly path?: string
}

/**
 * Creates a request listener for `node:http` and `node:http2`, which also serves as a Connect-style middleware.
 *
 * With a `next`, requests that are not for Comet go there, and so do errors that `identify` throws. Without it such a
 * request is answered with 404; an error goes to `'error'` and is answered with 500.
 *
 * @example
 * http.createServer(cometHandler(comet, { path: '/comet', identify })).listen(3000)
 *
 * @throws CometError INVALID_OPTION
 */
export function cometHandler<Req extends Request = Request, Info = unknown>(
  comet: AdapterComet<Info>,
  options: CometHandlerOptions<Req, NoInfer<Info>>,
): (req: Request, res: Response, next?: (error?: unknown) => void) => void {
  const { crossSite, client } = checkHttpOptions(comet, options, ['path'])
  const { identify, path = '/' } = options
  const mount = mountOf(path)
  const handler = async (req: Request, res: Response, next?: (error?: unknown) => void): Promise<void> => {
    let ours = false
    try {
      const target = req.url ?? '/'
      const direct = belowTwice(mount, target, (req as { baseUrl?: string }).baseUrl)
      // Express may call it.
      const route = expressRouteOf(req, handler)
      const url = belowRoute(direct, route, target, req)
      if (req.method === 'GET' && (route?.isCertain || url !== direct)) checkExpressRoute(req, comet)
      const exchange = { req, res, parsed: req, crossSite, client, identify: () => identify(req as Req) }
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
  register(handler, comet)
  return handler
}

function fail(comet: AdapterComet, res: Response, error: unknown): void {
  comet.report(error)
  if (res.headersSent) res.end()
  else send(res, errorAnswer(new CometError('INTERNAL')))
}
