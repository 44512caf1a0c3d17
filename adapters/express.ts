import type { IncomingMessage, ServerResponse } from 'node:http'
import { type CometGate, checkHttpOptions, type HttpOptions, handle } from '../lib/http/handler.ts'

/** Options of {@link cometExpress}. */
export interface CometExpressOptions<Req> extends HttpOptions<Req> {}

/**
 * A middleware for Express 4 and 5: `app.use('/comet', cometExpress(comet, { identify }))`. Requests that are not
 * for Comet, and what `identify` throws, go to `next`.
 *
 * @throws CometError INVALID_OPTION
 */
export function cometExpress<Req extends IncomingMessage>(
  comet: CometGate,
  options: CometExpressOptions<Req>,
): (req: Req, res: ServerResponse, next: (error?: unknown) => void) => void {
  checkHttpOptions(options)
  const { identify, crossSite = false } = options
  return (req, res, next) => {
    const { body } = req as { body?: unknown }
    const exchange = { req, res, url: req.url ?? '/', body, crossSite, identify: () => identify(req) }
    handle(comet, exchange).then((ours) => {
      if (!ours) next()
    }, next)
  }
}
