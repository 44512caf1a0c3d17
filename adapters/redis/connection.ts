import { patientTimeout } from '../../lib/util/patient-timeout.ts'

/**
 * What Redis answers: text, whole numbers, lists. A map of RESP 3 is a list of its keys and values by turns, as most
 * commands answer with RESP 2. The one exception is XREAD, which answers a list of pairs with RESP 2: its reader takes
 * both.
 */
export type Reply = null | string | number | readonly Reply[]

/** How long an answer may take, in milliseconds. Redis mostly answers within one. */
export const ANSWER_MS = 3_000

/** A connection to Redis, whatever library it is of. What it rejects with is what the library, or Redis, says. */
export interface RedisConnection {
  /** Whether a command would be sent now, and not wait for a connection. */
  readonly isReady: boolean
  /** Says why {@link isReady} is false, as far as the library has told. */
  readonly trouble: Error
  /**
   * Sends one command, and does not repeat it.
   *
   * A rejection other than a refusal by Redis (see {@link codeOf}) leaves open whether Redis carried the command out, or
   * will: client libraries queue commands while they are not connected. What is sent must do no harm later.
   *
   * @param key any key of the command, by which a cluster routes it
   * @param timeout the time to wait for the answer, in milliseconds. Default: {@link ANSWER_MS}
   */
  send(key: string, args: readonly string[], timeout?: number): Promise<Reply>
  /** Opens another connection with the same settings, such as for reads that block. Rejects when that takes too long. */
  duplicate(): Promise<RedisConnection>
  /** Ends a connection that {@link duplicate} opened. Does nothing to the app's own. Idempotent. Never throws. */
  close(): void
}

/** The code that begins a refusal by Redis, such as `NOSCRIPT`. */
const CODE = /^-?([A-Z][A-Z\d]+) /

/** Finds the code of an error with which Redis answered a command. @returns undefined when it is no answer of Redis */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error || isErrorLike(error) ? CODE.exec(error.message)?.[1] : undefined
}

/** Tells whether something is an error, also of another realm. */
function isErrorLike(value: unknown): value is { readonly message: string } {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { message?: unknown }).message === 'string'
  )
}

/** Refusals of a state that passes, such as a failover, or that an operator ends: the command may be sent again. */
const PASSING = new Set([
  'BUSY',
  'CLUSTERDOWN',
  'LOADING',
  'MASTERDOWN',
  'MISCONF',
  'MOVED',
  'ASK',
  'NOREPLICAS',
  'READONLY',
  'TRYAGAIN',
  'UNBLOCKED',
  'NOAUTH',
  'WRONGPASS',
  'NOPERM',
])

/** Tells whether Redis refused a command for good: it did not carry it out, and would refuse it again. */
export function isRefusal(error: unknown): boolean {
  const code = codeOf(error)
  return code !== undefined && !PASSING.has(code)
}

/**
 * Settles as a promise does, or rejects after a time. What comes later is dropped.
 *
 * @param holds whether the wait keeps the process alive, if nothing else does
 */
export function withDeadline<T>(answer: Promise<T>, timeout: number, what: string, holds = true): Promise<T> {
  return new Promise((resolve, reject) => {
    const onTimeout = () => reject(new Error(`${what} within ${timeout} ms.`))
    const timer = patientTimeout(onTimeout, timeout, undefined)
    if (!holds) timer.unref()
    answer.then(
      (value) => {
        clearTimeout(timer)
        resolve(value)
      },
      (error: unknown) => {
        clearTimeout(timer)
        reject(error)
      },
    )
  })
}

/** Waits for the answer to a command, as long as the connection keeps the process alive. */
export function answerOf(answer: Promise<unknown>, timeout: number): Promise<Reply> {
  return withDeadline(answer, timeout, 'Redis did not answer', false).then(normalize)
}

/** Makes a {@link Reply} of what a library answers. Costs nothing to speak of where it is one already. */
export function normalize(value: unknown): Reply {
  if (typeof value === 'string' || typeof value === 'number') return value
  if (value === null || value === undefined) return null
  if (Array.isArray(value)) return value.every(isReply) ? value : value.map(normalize)
  if (Buffer.isBuffer(value)) return value.toString()
  if (typeof value === 'boolean') return value ? 1 : 0
  if (typeof value === 'bigint') return Number(value)
  if (value instanceof Map) return Array.from(value).flat().map(normalize)
  if (value instanceof Set) return Array.from(value, normalize)
  return Object.entries(value).flat().map(normalize)
}

function isReply(value: unknown): value is Reply {
  if (typeof value === 'string' || typeof value === 'number' || value === null) return true
  return Array.isArray(value) && value.every(isReply)
}

/** What all clients are. */
export interface Emitter {
  // biome-ignore lint/suspicious/noExplicitAny: as Node.js declares it, which the libraries repeat
  on(event: string, listener: (...args: any[]) => void): unknown
}

/** Clients that have a listener for `'error'`, and what each of them has told since it was connected. */
const lastErrors = new WeakMap<object, unknown>()

/**
 * Listens to `'error'`, which would end the app's process if nobody did, and notes it for {@link notConnected}.
 * Idempotent.
 */
export function guardErrors(client: Emitter): void {
  if (lastErrors.has(client)) return
  lastErrors.set(client, undefined)
  client.on('error', (error) => lastErrors.set(client, error))
  client.on('ready', () => lastErrors.set(client, undefined))
}

/** Makes an error that says why a client has no connection, as far as it has told. */
export function notConnected(client: object): Error {
  const cause = lastErrors.get(client) as { readonly message?: string; readonly code?: string } | undefined
  const why = cause?.message || cause?.code
  if (why !== undefined) return new Error(`There is no connection to Redis: ${why}`, { cause })
  return new Error(NOT_CONNECTED)
}

const NOT_CONNECTED =
  'There is no connection to Redis. If the client is of the package redis, call await client.connect() once.'
