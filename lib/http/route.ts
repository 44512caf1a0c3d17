import type { IncomingHttpHeaders } from 'node:http'
import { issuerOf } from '../ids.ts'
import { pathOf } from './mount.ts'

/** A route of a framework's router, by which a request came to Comet. A router leaves the URL whole. */
export interface Route {
  /** What the path must match, in the router's own way to write it. */
  readonly pattern: unknown
  /** Whether the pattern matches the beginning of the path only. */
  readonly isPrefix: boolean
  /** Whether Comet's own middleware is in the route. Otherwise a function of the app in it may have called Comet. */
  readonly isCertain: boolean
}

interface RoutedRequest {
  readonly method?: string | undefined
  readonly headers: IncomingHttpHeaders
}

/**
 * Finds the part of a request target below the mount, for a request that came by a route.
 *
 * @param direct the part below the mount without regard to the route; undefined for a target elsewhere
 * @returns undefined for a target elsewhere
 */
export function belowRoute(
  direct: string | undefined,
  route: Route | undefined,
  target: string,
  req: RoutedRequest,
): string | undefined {
  if (route === undefined || (direct !== undefined && isOurs(direct))) return direct
  const url = pathOf(target)
  const [path = ''] = url.split('?', 1)
  const query = url.slice(path.length)
  const segments = segmentsOf(path)
  const sid = segments.at(-1) ?? ''
  const fixed = fixedSegments(route)
  const namesSid = issuerOf(sid) !== undefined
  // A route that matched earlier and passed the request on is still known to Express.
  if (!route.isCertain && (fixed !== undefined || !isMeantForComet(req, namesSid, query))) return direct
  if (namesSid) return `/${sid}${query}`
  const rest = segments.slice(fixed ?? segments.length)
  return rest.length === 0 ? query : `/${rest.join('/')}${query}`
}

/** Tells whether Comet would take a request, by the part of its URL below the mount. */
function isOurs(url: string): boolean {
  const [path = ''] = url.split('?', 1)
  return path === '' || path === '/' || issuerOf(path.slice(1)) !== undefined
}

function isMeantForComet({ method, headers }: RoutedRequest, namesSid: boolean, query: string): boolean {
  if (method === 'POST') return namesSid || new URLSearchParams(query).has('sid')
  return /text\/event-stream/i.test(headers.accept ?? '')
}

function segmentsOf(path: string): string[] {
  return path.split('/').filter((segment) => segment !== '')
}

/** The beginning of what may match any number of segments: `*`, `{/:sid}`, `:sid?`, `(/:sid)?`. */
const OPEN = /[*{]|\(\/|:\w+(\([^)]*\))?[?+]/

/**
 * Counts the segments before the part of a pattern that may match any number of them.
 *
 * @returns undefined for a pattern without such a part: all that it matches is the mount
 */
function fixedSegments({ pattern, isPrefix }: Route): number | undefined {
  for (const each of [pattern].flat()) {
    if (typeof each !== 'string') continue
    const openAt = each.search(OPEN)
    if (openAt >= 0) return segmentsOf(each.slice(0, openAt)).length
    if (isPrefix) return segmentsOf(each).length
  }
  return undefined
}

/** The middlewares of adapters, and the Comet of each. */
const middlewares = new WeakMap<object, object>()

/** Remembers that a middleware serves a Comet. */
export function register(middleware: object, comet: object): void {
  middlewares.set(middleware, comet)
}

/** Tells whether something in a router is a middleware of this Comet. */
export function isMiddlewareOf(comet: object, handle: unknown): boolean {
  return typeof handle === 'function' && middlewares.get(handle) === comet
}

/** Warns, once a Comet, that pages cannot send packets. */
export function warnOfMount(comet: object, mounted: string, right: string): void {
  if (warned.has(comet)) return
  warned.add(comet)
  process.emitWarning(
    `Comet is mounted by ${mounted}, which gets no POST: pages cannot send packets. Write ${right}.`,
    { type: 'CometWarning', code: 'COMET_MOUNT' },
  )
}

const warned = new WeakSet<object>()
