import { isMiddlewareOf, type Route, warnOfMount } from './route.ts'

/** The parts of Express 4 and 5 that tell how a request was routed. */
interface ExpressRequest {
  readonly route?: ExpressRoute
  readonly baseUrl?: string
  readonly app?: { readonly _router?: Router; readonly router?: Router }
}

interface ExpressRoute {
  readonly path: unknown
  readonly methods?: Readonly<Record<string, boolean>>
  readonly stack?: readonly Layer[]
}

interface Router {
  readonly stack?: readonly Layer[]
}

interface Layer {
  readonly handle?: unknown
  readonly route?: ExpressRoute | undefined
}

/** Finds the route by which a request came to a middleware. @returns undefined for `app.use` */
export function expressRouteOf(req: object, middleware: unknown): Route | undefined {
  const { route } = req as ExpressRequest
  if (route?.stack === undefined) return undefined
  const isCertain = route.stack.some(({ handle }) => handle === middleware)
  return { pattern: route.path, isPrefix: false, isCertain }
}

/** The routes that were checked. */
const checked = new WeakSet<ExpressRoute>()

/** Warns when a stream came by a route that gets no POST, and no other way for packets is mounted. */
export function checkExpressRoute(req: object, comet: object): void {
  const { route, baseUrl = '', app } = req as ExpressRequest
  if (route === undefined || app === undefined || checked.has(route)) return
  checked.add(route)
  if (takesPost(route)) return
  // Express 4 throws where `router` is read.
  const router = app._router ?? app.router
  if (servesPost(comet, router?.stack)) return
  const [path] = [route.path].flat()
  const where = baseUrl === '' ? 'app' : 'router'
  const name = typeof path === 'string' ? `'${path}'` : String(path)
  const method = Object.keys(route.methods ?? {})[0] ?? 'get'
  warnOfMount(
    comet,
    `${where}.${method}(${name}, …)`,
    `${where}.use(${name}, cometExpress(comet, { identify }))`,
  )
}

function takesPost({ methods }: ExpressRoute): boolean {
  return methods?.post === true || methods?._all === true
}

/** Tells whether a router gives POSTs to a middleware of a Comet, itself or by a router in it. */
function servesPost(comet: object, layers: readonly Layer[] = []): boolean {
  return layers.some(({ route, handle }) => {
    if (route !== undefined) {
      return takesPost(route) && route.stack?.some((layer) => isMiddlewareOf(comet, layer.handle))
    }
    return isMiddlewareOf(comet, handle) || servesPost(comet, (handle as Router | undefined)?.stack)
  })
}
