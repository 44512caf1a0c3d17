import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Context as KoaContext } from 'koa'
import type { Answer } from '../lib/http/answer.ts'
import {
  type AdapterComet,
  asError,
  checkHttpOptions,
  type Exchange,
  type HttpOptions,
} from '../lib/http/exchange.ts'
import { handle } from '../lib/http/handler.ts'
import { below, mountOf } from '../lib/http/mount.ts'

/** The part of a Koa context that Comet uses. */
interface Context {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly url: string
  readonly request: object
  respond?: boolean | undefined
  status: number
  body: unknown
  set(headers: Readonly<Record<string, string>>): void
}

/** Options of {@link cometKoa}. `identify` gets Koa's Context, or `any` where its types are not installed. */
export interface CometKoaOptions<Ctx = KoaContext> extends HttpOptions<Ctx> {
  /**
   * The path of the stream. It starts with `/`.
   *
   * @default '/'
   */
  readonly path?: string
}

/**
 * Creates a middleware for Koa 2 and 3. Requests that are not for Comet go to `next`; errors that `identify` throws go
 * to Koa's error handling.
 *
 * @example
 * app.use(cometKoa(comet, { path: '/comet', identify: (ctx) => ctx.state.user?.id }))
 *
 * @throws CometError INVALID_OPTION
 */
export function cometKoa<Ctx extends Context = KoaContext>(
  comet: AdapterComet,
  options: CometKoaOptions<Ctx>,
): (ctx: Context, next: () => Promise<unknown>) => Promise<unknown> {
  checkHttpOptions(comet, options, ['path'])
  const { identify, crossSite = false, path = '/' } = options
  const mount = mountOf(path)
  return async (ctx, next) => {
    const url = below(mount, ctx.url)
    if (url === undefined) return await next()
    const { req, res } = ctx
    const exchange = { req, res, url, parsed: ctx.request, crossSite, identify: () => identify(ctx as Ctx) }
    const outcome = await outcomeOf(comet, exchange)
    if (outcome === undefined) return await next()
    // Koa would end the response when this middleware returns, which is long before the stream ends.
    if (outcome === 'taken') ctx.respond = false
    else answer(ctx, outcome)
  }
}

/** Handles a request. Koa would never answer one whose middleware throws undefined or null. */
async function outcomeOf(comet: AdapterComet, exchange: Exchange) {
  try {
    return await handle(comet, exchange)
  } catch (error) {
    throw asError(error)
  }
}

/** Answers in Koa's own way, so that middlewares before this one may still set headers. */
function answer(ctx: Context, { status, headers, body }: Answer): void {
  ctx.set(headers)
  ctx.body = body ?? null
  ctx.status = status
}
