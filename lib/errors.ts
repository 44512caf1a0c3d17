import { type CometErrorCode, ERRORS } from './error-table.ts'

/**
 * The one error class of Comet. An app may throw it too, such as from `onMessage`, to choose the answer that a client
 * gets.
 *
 * @example
 * throw new CometError('FORBIDDEN', 'Not your turn.')
 */
export class CometError extends Error {
  override readonly name = 'CometError'
  readonly code: CometErrorCode
  /**
   * The HTTP status that a client gets. Undefined for an error about what the app did, such as a `publish` without a
   * target: Express and Koa, which read it, answer 500 then. Not read-only: Koa sets it on every error it answers.
   */
  status: number | undefined

  /**
   * @param code a key of the error table
   * @param message names what was wrong and what to change. Default: the meaning of the code
   * @throws CometError INVALID_OPTION for another code
   */
  constructor(code: CometErrorCode, message: string = ERRORS[code]?.meaning, options?: ErrorOptions) {
    super(message, options)
    if (!Object.hasOwn(ERRORS, code)) throw unknownCode(code)
    this.code = code
    this.status = ERRORS[code].status
  }

  /** True when the cause will pass, so that a client should come back by itself. */
  get temporary(): boolean {
    return 'temporary' in ERRORS[this.code]
  }
}

function unknownCode(code: unknown): CometError {
  const found = typeof code === 'string' ? JSON.stringify(code) : typeof code
  const message = `There is no error code ${found}. For a message of the app's own, use FORBIDDEN or INVALID_FIELD.`
  return new CometError('INVALID_OPTION', message)
}

/**
 * Tells whether a thrown value is a CometError. Not by `instanceof`, which fails where an app loads this package both
 * as an ES module and with `require`, and for an error of another realm.
 */
export function isCometError(thrown: unknown): thrown is CometError {
  try {
    return (
      Object.prototype.toString.call(thrown) === '[object Error]' && (thrown as Error).name === 'CometError'
    )
  } catch {
    // A proxy may throw whatever it is asked.
    return false
  }
}

/** A CometError that may be the answer to a client. */
export type ClientError = CometError & { status: number }

/** Tells whether a thrown value may be the answer to a client: it is a CometError, and not about what the app did. */
export function isClientError(thrown: unknown): thrown is ClientError {
  return isCometError(thrown) && typeof thrown.status === 'number'
}

/** The status that says that the server cannot do something now. It is true of a call of the app, too. */
const NOT_NOW = 503

/**
 * Makes the error of a call of the app: takes the client status off a CometError, because the browser whose request
 * made the app call is not to blame. Returns any other value unchanged.
 */
export function asAppError(thrown: unknown): unknown {
  if (isCometError(thrown) && thrown.status !== NOT_NOW) Reflect.set(thrown, 'status', undefined)
  return thrown
}

/** Runs a part of a call of the app. What it throws has no client status. See {@link asAppError}. */
export function callOfApp<T>(run: () => T): T {
  try {
    return run()
  } catch (error) {
    throw asAppError(error)
  }
}
