import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Context as KoaContext } from 'koa'
import type { Answer } from '../lib/http/answer.ts'
import {
  type AdapterComet,
  asError,
  checkHttpOptions,
  type Exchange,
  type HttpOptions,
  wrongFramework,
} from '../lib/http/exchange.ts'
import { handle, isToBeSent } from '../lib/http/handler.ts'
import { HeldTransport } from '../lib/http/held-transport.ts'
import { checkKoaRoute, koaRouteOf } from '../lib/http/koa-route.ts'
import { belowTwice, mountOf } from '../lib/http/mount.ts'
import { HEADERS, ResponseTransport } from '../lib/http/response-transport.ts'
import { belowRoute, register } from '../lib/http/route.ts'

/** The part of a Koa context that Comet uses. */
interface Context {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly url: string
  readonly request: object
  respond?: boolean | undefined
  /** What koa-mount has cut off the URL. */
  readonly mountPath?: string
  /** The switch of koa-compress. */
  compress?: unknown
  status: number
  body: unknown
  onerror(error: Error): void
  set(headers: Readonly<Record<string, string>>): void
}

/** Options of {@link cometKoa}. `identify` gets Koa's Context, or `any` where its types are not installed. */
export interface CometKoaOptions<Ctx = KoaContext, Info = unknown> extends HttpOptions<Ctx, Info> {
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
export function cometKoa<Ctx extends Context = KoaContext, Info = unknown>(
  comet: AdapterComet<Info>,
  options: CometKoaOptions<Ctx, NoInfer<Info>>,
): (ctx: Context, next: () => Promise<unknown>) => Promise<unknown> {
  const { crossSite, client } = checkHttpOptions(comet, options, ['path'])
  const { identify, path = '/' } = options
  const mount = mountOf(path)
  // Not async, so that Express, too, can tell what this throws.
  const middleware = (ctx: Context, next: () => Promise<unknown>): Promise<unknown> => {
    if (ctx.req === undefined) throw wrongFramework('cometKoa')
    return respond(ctx, next)
  }
  const respond = async (ctx: Context, next: () => Promise<unknown>): Promise<unknown> => {
    const { req, res } = ctx
    const direct = belowTwice(mount, ctx.url, ctx.mountPath)
    const route = koaRouteOf(ctx, middleware)
    const url = belowRoute(direct, route, ctx.url, req)
    if (url === undefined) return await next()
    if (req.method === 'GET' && (route?.isCertain || url !== direct)) checkKoaRoute(ctx, comet, middleware)
    let held: HeldTransport | undefined
    // Where Koa will not respond, the stream must begin at once.
    const transport = () => {
      if (ctx.respond === false) return new ResponseTransport(req, res, comet.closing)
      held = new HeldTransport(req, res, comet.closing)
      return held
    }
    const exchange = {
      req,
      res,
      url,
      parsed: ctx.request,
      crossSite,
      client,
      identify: () => identify(ctx as Ctx),
      transport,
    }
    const outcome = await outcomeOf(comet, exchange)
    if (outcome === undefined) return await next()
    if (isToBeSent(outcome, res)) answer(ctx, outcome)
    else if (held?.isHeld) answerWithStream(ctx, held)
    // Koa would end the response when this middleware returns.
    else ctx.respond = false
  }
  register(middleware, comet)
  return middleware
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

/** Lets Koa begin the stream when it sends the body: after the middlewares before this one have set their headers. */
function answerWithStream(ctx: Context, held: HeldTransport): void {
  ctx.status = 200
  ctx.set(Object.fromEntries(HEADERS))
  ctx.compress = false
  ctx.body = held.body
  const { onerror } = ctx
  // Koa reports the end of a client's connection as an error, "Premature close". For a stream it is none.
  ctx.onerror = (error) => {
    if (!held.isSent) onerror.call(ctx, error)
  }
}
