import { CometClientError } from './errors.ts'
import { MAX_TIMER } from './timing.ts'

/**
 * Why the client asks for headers: for a stream, or for a packet; after the answer 401 (`UNAUTHENTICATED`), or for the
 * stream after one whose identity expired (`EXPIRED`). With the last two a token should be renewed.
 */
export type HeadersReason = 'STREAM' | 'PACKET' | 'UNAUTHENTICATED' | 'EXPIRED'

/** What a function for headers is told. */
export interface HeadersRequest {
  readonly reason: HeadersReason
  /** Aborted when the client no longer needs the headers. */
  readonly signal: AbortSignal
}

/** The headers of a request, or a function that is asked for them before each request. */
export type HeadersOption =
  | Readonly<Record<string, string>>
  | ((
      request: HeadersRequest,
    ) => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>)

/** Parameters of the URL that belong to the app. */
export type QueryOption = Readonly<Record<string, string>> | (() => Readonly<Record<string, string>>)

/** The part of `fetch` that the client uses. */
export type FetchFunction = (url: string, init: RequestInit) => Promise<Response>

/** Options of a CometClient. All are optional. */
export interface CometClientOptions {
  /**
   * Headers of all requests, such as Authorization. A function is asked for each request, one call at a time. When it
   * rejects, that counts as a network error; a CometClientError that it throws closes the client.
   *
   * @default {}
   */
  readonly headers?: HeadersOption
  /**
   * Whether cookies are sent: as in `fetch`.
   *
   * @default 'same-origin'
   */
  readonly credentials?: 'omit' | 'same-origin' | 'include'
  /**
   * Parameters of the app, in the URL of all requests.
   *
   * @default {}
   */
  readonly query?: QueryOption
  /**
   * Takes the place of the global `fetch`. Its responses must have a `body` that can be read piece by piece.
   *
   * @default globalThis.fetch
   */
  readonly fetch?: FetchFunction
  /**
   * The least delay before the client connects again, in milliseconds.
   *
   * @default 500
   */
  readonly minDelay?: number
  /**
   * The longest delay before the client connects again, in milliseconds, unless the server asks for a longer one.
   *
   * @default 30_000
   */
  readonly maxDelay?: number
  /**
   * How long a stream may take to begin, in milliseconds.
   *
   * @default 20_000
   */
  readonly openTimeout?: number
  /**
   * How long a message may take to be answered, in milliseconds, with the time that it waits for a connection.
   *
   * @default 10_000
   */
  readonly sendTimeout?: number
  /**
   * The most messages that may wait: one more fails with QUEUE_FULL.
   *
   * @default 100 messages
   */
  readonly maxQueue?: number
  /**
   * Whether a page that is loaded again goes on where it was: for pages that keep what they show.
   *
   * @default false
   */
  readonly persist?: boolean
  /**
   * Whether a page that goes away says BYE: its user goes offline at once, also by a reload.
   *
   * @default false
   */
  readonly byeOnHide?: boolean
  /**
   * Whether the client connects at once. With false it waits for `connect()`.
   *
   * @default true
   */
  readonly connect?: boolean
  /**
   * Prints what the client does, or hands each line to a function. Never a header, a token or content.
   *
   * @default false
   */
  readonly debug?: boolean | ((line: string) => void)
}

/** The options with their defaults. */
export type CompleteOptions = Required<CometClientOptions>

const DEFAULTS: CompleteOptions = {
  headers: {},
  credentials: 'same-origin',
  query: {},
  // Asked for at each call: some pages replace it later. It must be called without an object before it.
  fetch: (url, init) => fetch(url, init),
  minDelay: 500,
  maxDelay: 30_000,
  openTimeout: 20_000,
  sendTimeout: 10_000,
  maxQueue: 100,
  persist: false,
  byeOnHide: false,
  connect: true,
  debug: false,
}

/** The options that may have another type than their default. */
const ALSO: Readonly<Record<string, string>> = { headers: 'function', query: 'function', debug: 'function' }

/**
 * Checks the options, and fills in the defaults.
 *
 * @throws CometClientError INVALID_OPTION
 */
export function checkOptions(given: CometClientOptions): CompleteOptions {
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(DEFAULTS, name)) throw wrong(`There is no option ${name}.`)
    const expected = typeof DEFAULTS[name as keyof CompleteOptions]
    const found = value === null ? 'null' : typeof value
    if (found !== expected && found !== ALSO[name] && value !== undefined) {
      throw wrong(`Option ${name} must be of type ${expected}, not ${found}.`)
    }
    if (found === 'number' && !(value >= 0 && value <= MAX_TIMER)) {
      throw wrong(`Option ${name} must be from 0 to ${MAX_TIMER}, not ${value}.`)
    }
  }
  const defined = Object.entries(given).filter(([, value]) => value !== undefined)
  return { ...DEFAULTS, ...Object.fromEntries(defined) }
}

function wrong(message: string): CometClientError {
  return new CometClientError('INVALID_OPTION', message)
}

/** Makes the function for what the client does, by option `debug`. */
export function debugOf({ debug }: CompleteOptions): (line: string) => void {
  if (typeof debug === 'function') return debug
  return debug ? (line) => console.debug(`comet: ${line}`) : () => {}
}
