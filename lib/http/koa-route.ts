import { isMiddlewareOf, type Route, warnOfMount } from './route.ts'

/** The parts of a Koa context in which `@koa/router` tells how a request was routed. */
interface RoutedContext {
  /** The routes whose pattern matches the path, whatever their method. */
  readonly matched?: readonly Layer[]
  readonly router?: { readonly stack?: readonly Layer[] }
}

interface Layer {
  readonly path?: unknown
  /** Empty for middlewares of `router.use`. */
  readonly methods?: readonly string[]
  readonly stack?: readonly unknown[]
}

/** Finds the route by which a request came to a middleware. @returns undefined for `app.use` */
export function koaRouteOf(ctx: object, middleware: unknown): Route | undefined {
  const { matched } = ctx as RoutedContext
  const own = matched?.find((layer) => layer.stack?.includes(middleware))
  const layer = own ?? matched?.findLast(({ methods }) => methods?.length)
  if (layer === undefined) return undefined
  return { pattern: layer.path, isPrefix: layer.methods?.length === 0, isCertain: own !== undefined }
}

/** Warns when a stream came by a route that gets no POST, and no other way for packets is in the router. */
export function checkKoaRoute(ctx: object, comet: object, middleware: unknown): void {
  const { matched = [], router } = ctx as RoutedContext
  const layer =
    matched.find(({ stack }) => stack?.includes(middleware)) ??
    matched.findLast(({ methods }) => methods?.includes('GET'))
  if (layer === undefined || checked.has(layer)) return
  checked.add(layer)
  if (layer.methods?.length === 0 || [...matched, ...(router?.stack ?? [])].some(servesPost)) return
  const name = typeof layer.path === 'string' ? `'${layer.path}'` : String(layer.path)
  const path = typeof layer.path === 'string' ? layer.path : '/comet'
  warnOfMount(comet, `router.get(${name}, …)`, `app.use(cometKoa(comet, { path: '${path}', identify }))`)

  function servesPost({ methods, stack }: Layer): boolean {
    if (methods?.includes('POST') !== true) return false
    return stack?.some((each) => isMiddlewareOf(comet, each)) === true
  }
}

/** The routes that were checked. */
const checked = new WeakSet<Layer>()
