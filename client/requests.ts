import type { ErrorAnswer } from '../lib/protocol/packet.ts'
import type { Core, Parameters, Requests } from './core.ts'
import { CometClientError } from './errors.ts'
import type { HeadersReason } from './options.ts'
import { MAX_TIMER } from './timing.ts'

/** How long the answer to HB or BYE may take, in milliseconds. */
const ANSWER_TIMEOUT = 3_000

const NONE = (): Parameters => []

type Headers = Readonly<Record<string, string>>

/**
 * Makes the requests of a client.
 *
 * @throws CometClientError INVALID_OPTION
 */
export function createRequests(
  address: string,
  { options: { headers, credentials, query, fetch }, debug }: Core,
): Requests {
  const base = baseOf(address)
  /** Settles when the last call for headers is over. One at a time, so that no older token is used after a newer one. */
  let turn: Promise<unknown> = Promise.resolve()
  let latest: Headers = {}

  const send = (init: RequestInit, parameters: () => Parameters, sid?: string) => {
    const url = new URL(base)
    if (sid) url.pathname = `${url.pathname.replace(/\/$/, '')}/${sid}`
    const own = Object.entries(typeof query === 'function' ? query() : query)
    for (const [key, value] of [...own, ...parameters()]) url.searchParams.append(key, value)
    return fetch(url.href, {
      ...init,
      // The types of Node.js do not know the cache, and take it all the same.
      ...({ cache: 'no-store' } as object),
      credentials,
      headers: { ...latest, ...(init.headers as Headers) },
    })
  }

  /** Asks for headers, and sends the request with them before anybody else asks. After the answer 401 it does so again. */
  const request = async (
    reason: HeadersReason,
    signal: AbortSignal,
    init: RequestInit,
    parameters: () => Parameters,
    sid?: string,
  ): Promise<Response> => {
    const begun = performance.now()
    const isAsked = typeof headers === 'function'
    const asking = turn.then(async () => {
      signal.throwIfAborted()
      latest = isAsked ? await untilAborted(headers({ reason, signal }), signal) : headers
      // In an object, because a promise would be awaited.
      return { responding: send({ ...init, signal }, parameters, sid) }
    })
    turn = asking.catch(() => {})
    const { responding } = await asking
    const response = await responding
    debug(`${init.method ?? 'GET'} ${response.status}, ${Math.round(performance.now() - begun)} ms`)
    if (response.status !== 401 || !isAsked || reason === 'UNAUTHENTICATED') return response
    discard(response)
    return await request('UNAUTHENTICATED', signal, init, parameters, sid)
  }

  const packet: Requests['packet'] = (sid, content, signal) =>
    request('PACKET', signal, post(content), NONE, sid)

  return {
    name: base.origin + base.pathname,
    stream: (parameters, reason, signal) =>
      request(reason, signal, { headers: { Accept: 'text/event-stream' } }, parameters),
    packet,
    async tell(sid, content) {
      const abort = new AbortController()
      const timer = setTimeout(() => abort.abort(), ANSWER_TIMEOUT)
      try {
        const response = await packet(sid, content, abort.signal)
        discard(response)
        return response.status
      } catch {
        return undefined
      } finally {
        clearTimeout(timer)
      }
    },
    lastPacket(sid, content) {
      send(post(content), NONE, sid).catch(() => {})
    },
  }
}

function baseOf(address: string): URL {
  const { document, location } = globalThis as {
    document?: { baseURI: string }
    location?: { href: string }
  }
  try {
    return new URL(address, document?.baseURI ?? location?.href)
  } catch {
    throw new CometClientError(
      'INVALID_OPTION',
      `${address} is no URL. Outside of a page it must be absolute.`,
    )
  }
}

/** Makes the packet that ends a session. One that names another connection has no effect. */
export function byeOf({ connection }: { readonly connection: string }): object {
  return { type: 'BYE', bye: { connection } }
}

/** Describes a request with a packet. It outlives the page. */
function post(packet: object): RequestInit {
  return {
    method: 'POST',
    body: JSON.stringify(packet),
    headers: { 'Content-Type': 'application/json' },
    keepalive: true,
  }
}

/** Settles as a promise does, or rejects when the signal is aborted before. */
function untilAborted<T>(promise: T | Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    // The signal lasts no longer than the request.
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    Promise.resolve(promise).then(resolve, reject)
  })
}

/** Lets go of a body that nobody reads: Node.js would keep its connection. */
export function discard({ body }: Response): void {
  body?.cancel().catch(() => {})
}

/** Reads when a request may be repeated, in milliseconds from now: a number of seconds, or a date. */
export function retryAfterOf({ headers }: Response): number {
  const text = headers.get('retry-after') ?? ''
  const milliseconds = Number(text) * 1_000 || Date.parse(text) - Date.now()
  return Math.min(MAX_TIMER, Math.max(0, milliseconds || 0))
}

/** Reads the error of an answer: the server's own, or one that tells what came in its place. */
export async function errorOf(response: Response, { name }: Requests): Promise<CometClientError> {
  const { status, headers } = response
  const type = headers.get('content-type') ?? 'no content'
  try {
    // Anything else may be endless.
    if (status !== 200 && type.startsWith('application/json')) {
      const { code, message } = ((await response.json()) as ErrorAnswer).error
      return new CometClientError(code, message, status)
    }
  } catch {}
  discard(response)
  return status === 204
    ? new CometClientError('STAY_AWAY', 'The server wants this client to stay away.', status)
    : new CometClientError(
        'BAD_RESPONSE',
        `${name} answered ${status} with ${type}, which is not Comet's.`,
        status,
      )
}
