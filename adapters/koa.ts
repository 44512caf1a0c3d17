import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Context as KoaContext } from 'koa'
import { type CometGate, checkHttpOptions, type HttpOptions, handle } from '../lib/http/handler.ts'
import { below, mountOf } from '../lib/http/mount.ts'

/** What Comet uses of a Koa context. */
interface Context {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly url: string
  readonly request: object
  respond?: boolean | undefined
}

/** Options of {@link cometKoa}. `identify` is given Koa's Context, or any where its types are not installed. */
export interface CometKoaOptions<Ctx = KoaContext> extends HttpOptions<Ctx> {
  /** Where the stream is. Default: `'/'`. */
  readonly path?: string
}

/**
 * A middleware for Koa 2 and 3: `app.use(cometKoa(comet, { path: '/comet', identify }))`. Requests that are not
 * for Comet go to `next`, and what `identify` throws goes to Koa's error path.
 *
 * @throws CometError INVALID_OPTION
 */
export function cometKoa<Ctx extends Context = KoaContext>(
  comet: CometGate,
  options: CometKoaOptions<Ctx>,
): (ctx: Context, next: () => Promise<unknown>) => Promise<unknown> {
  checkHttpOptions(options)
  const { identify, crossSite = false, path = '/' } = options
  const mount = mountOf(path)
  return async (ctx, next) => {
    const url = below(mount, ctx.url)
    if (url === undefined) return await next()
    const { req, res } = ctx
    const { body } = ctx.request as { body?: unknown }
    const { respond = true } = ctx
    // Koa would answer when this middleware returns, which is long before the stream ends.
    ctx.respond = false
    let ours = false
    try {
      ours = await handle(comet, { req, res, url, body, crossSite, identify: () => identify(ctx as Ctx) })
    } finally {
      if (!ours && !res.headersSent) ctx.respond = respond
    }
    return ours ? undefined : await next()
  }
}
