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
  /** The HTTP status of the code. Not read-only: Koa sets it on every error it answers. */
  status: number

  /**
   * @param code a key of the error table
   * @param message names what was wrong and what to change. Default: the meaning of the code
   */
  constructor(code: CometErrorCode, message: string = ERRORS[code].meaning, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.status = ERRORS[code].status
  }

  /** True when the cause will pass, so that a client should come back by itself. */
  get temporary(): boolean {
    return 'temporary' in ERRORS[this.code]
  }
}

/**
 * Tells whether a thrown value is a CometError. Not by `instanceof`, which fails where an app loads this package both
 * as an ES module and with `require`.
 */
export function isCometError(thrown: unknown): thrown is CometError {
  return thrown instanceof Error && thrown.name === 'CometError'
}
