import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Request } from 'express'
import {
  type AdapterComet,
  asError,
  checkHttpOptions,
  type HttpOptions,
  wrongFramework,
} from '../lib/http/exchange.ts'
import { checkExpressRoute, expressRouteOf } from '../lib/http/express-route.ts'
import { serve } from '../lib/http/handler.ts'
import { pathOf } from '../lib/http/mount.ts'
import { belowRoute, register } from '../lib/http/route.ts'

/** Options of {@link cometExpress}. `identify` gets Express's Request, or `any` where its types are not installed. */
export interface CometExpressOptions<Req = Request, Info = unknown> extends HttpOptions<Req, Info> {}

/**
 * Creates a middleware for Express 4 and 5. Requests that are not for Comet go to `next`, and so do errors that
 * `identify` throws.
 *
 * @example
 * app.use('/comet', cometExpress(comet, { identify: (req) => req.user?.id }))
 *
 * @throws CometError INVALID_OPTION
 */
export function cometExpress<Req extends IncomingMessage = Request, Info = unknown>(
  comet: AdapterComet<Info>,
  options: CometExpressOptions<Req, NoInfer<Info>>,
): (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void {
  const { crossSite, client } = checkHttpOptions(comet, options)
  const { identify } = options
  const middleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => {
    if (typeof next !== 'function') throw wrongFramework('cometExpress')
    const target = req.url ?? '/'
    const direct = pathOf(target)
    const route = expressRouteOf(req, middleware)
    const url = belowRoute(direct, route, target, req) ?? direct
    if (req.method === 'GET' && (route?.isCertain || url !== direct)) checkExpressRoute(req, comet)
    const exchange = {
      req,
      res,
      url,
      parsed: req,
      crossSite,
      client,
      identify: () => identify(req as Req),
    }
    serve(comet, exchange).then(
      (ours) => {
        if (!ours) next()
      },
      (error) => next(asError(error)),
    )
  }
  register(middleware, comet)
  return middleware
}
