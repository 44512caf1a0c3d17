import type { Comet } from '../comet.ts'
import { type ClientError, CometError, isClientError } from '../errors.ts'
import type { EventMap } from '../operations/publication.ts'
import type { Identified } from '../session/identity.ts'
import { kindOf } from '../util/kind-of.ts'
import { checkOptions } from '../util/known-keys.ts'
import { ClientScript } from './client-script.ts'
import type { Request, Response } from './messages.ts'
import type { ResponseTransport } from './response-transport.ts'

/** The part of a Comet that adapters use, whatever its events. They do not ask for `members`, which has the type of `info`. */
export type AdapterComet<Info = unknown> = Pick<
  Comet<EventMap, Info>,
  'watchDisconnects' | 'connect' | 'checkSender' | 'receive' | 'closing' | 'limits' | 'report' | 'members'
>

/** Options of every HTTP adapter. */
export interface HttpOptions<Source, Info = unknown> {
  /**
   * Tells who a request is from: a uid, an Identity, `{ anonymous: true }`, or nothing, which is answered with 401. May
   * be async. An error that it throws goes to the app's own error handling.
   */
  readonly identify: (source: Source) => Identified<Info> | Promise<Identified<Info>>
  /**
   * Whether pages of other sites may connect. Otherwise they get 403.
   *
   * @default false
   */
  readonly crossSite?: boolean
  /**
   * Whether `GET <mount>/client.js` answers the client for pages, as one minified file: the module `comet-sse/client`.
   * It is read when the adapter is made.
   *
   * @default false: the path is the app's
   */
  readonly serveClient?: boolean
}

/** A request, and what the adapter takes from its framework. */
export interface Exchange {
  readonly req: Request
  readonly res: Response
  /** The part of the URL below the mount: `/`, `/?rid=a`, `/<sid>`. */
  readonly url: string
  /** The request object that the app's body parsers fill in, with the property `body`. */
  readonly parsed: object
  readonly identify: () => Identified | Promise<Identified>
  readonly crossSite: boolean
  /** The client for pages, if it is served. */
  readonly client: ClientScript | undefined
  /**
   * Makes the Transport of a stream.
   *
   * @default undefined: a {@link ResponseTransport}, whose stream begins at once
   */
  readonly transport?: () => ResponseTransport
}

/** Nothing is left to send: the response is a stream already, or the client has gone. */
export type Taken = 'taken'

/**
 * Checks the arguments of an adapter.
 *
 * @param own the names of the options that only this adapter has
 * @returns the part of each {@link Exchange} that is the same
 * @throws CometError INVALID_OPTION
 */
export function checkHttpOptions(
  comet: AdapterComet,
  options: HttpOptions<never>,
  own: readonly string[] = [],
): Pick<Exchange, 'crossSite' | 'client'> {
  if (typeof comet?.connect !== 'function') {
    throw new CometError('INVALID_OPTION', 'The first argument must be a Comet.')
  }
  if (!own.includes('path') && Object.hasOwn(Object(options), 'path')) {
    const message =
      'There is no option "path" in Express: the path is the one of app.use, as in app.use(\'/comet\', …).'
    throw new CometError('INVALID_OPTION', message)
  }
  checkOptions('The options of the adapter, such as { identify },', options, [
    'identify',
    'crossSite',
    'serveClient',
    ...own,
  ])
  if (typeof options.identify !== 'function') {
    throw new CometError(
      'INVALID_OPTION',
      'Option identify must be a function that tells who a request is from.',
    )
  }
  const { crossSite = false, serveClient = false } = options
  for (const [name, value] of Object.entries({ crossSite, serveClient })) {
    if (typeof value !== 'boolean')
      throw new CometError('INVALID_OPTION', `Option ${name} must be a boolean.`)
  }
  return { crossSite, client: serveClient ? ClientScript.read() : undefined }
}

/** Makes the error for a middleware that another framework calls than the one it is for. */
export function wrongFramework(adapter: 'cometExpress' | 'cometKoa'): CometError {
  const framework = adapter === 'cometKoa' ? 'Koa' : 'Express'
  return new CometError(
    'INVALID_OPTION',
    `${adapter} is for ${framework}. Use cometExpress (comet-sse/express) in Express, cometKoa (comet-sse/koa) in Koa, ` +
      'and cometHandler (comet-sse/node) without a framework.',
  )
}

/** Tells whether the client may see an error. A wrong answer of `identify` goes to the app's error handling instead. */
export function isForClient(error: unknown): error is ClientError {
  return isClientError(error) && error.code !== 'INVALID_IDENTITY'
}

/**
 * Makes an Error of undefined, null, false, 0, '', 'route' and 'router', for which Express's `next` would let the
 * request pass, if `identify` threw one of these. Returns any other value unchanged.
 */
export function asError(thrown: unknown): unknown {
  if (thrown && thrown !== 'route' && thrown !== 'router') return thrown
  return new CometError(
    'INTERNAL',
    `identify threw ${typeof thrown === 'string' ? JSON.stringify(thrown) : kindOf(thrown)}.`,
    { cause: thrown },
  )
}
