/** The codes of errors that the client itself makes. Those of the server are in the table of `docs/api.md`. */
export type CometClientErrorCode =
  | 'ABORTED'
  | 'BAD_RESPONSE'
  | 'CLOSED'
  | 'INVALID_OPTION'
  | 'NETWORK_ERROR'
  | 'NO_DATA'
  | 'NOT_CONNECTED'
  | 'QUEUE_FULL'
  | 'TIMEOUT'
  | 'USER_CHANGED'

/** The one error class of the client. What the server refused has the server's code and message. */
export class CometClientError extends Error {
  override readonly name = 'CometClientError'
  /** Why: a code of the server, or a {@link CometClientErrorCode}. Switch on it. */
  readonly code: string
  /** The HTTP status of the answer. Undefined when there was none. */
  readonly status: number | undefined

  /** @param code a code of the server, of this client, or of the app (for an error that its function `headers` throws) */
  constructor(code: string, message: string, status?: number, cause?: unknown) {
    super(message, { cause })
    this.code = code
    this.status = status
  }
}

/** Tells whether a thrown value is a CometClientError, also one of another copy of this module. */
export function isClientError(thrown: unknown): thrown is CometClientError {
  return thrown instanceof Error && thrown.name === 'CometClientError'
}

/** Makes the error for a network that failed. */
export function networkError(message: string, cause?: unknown): CometClientError {
  return new CometClientError('NETWORK_ERROR', message, undefined, cause)
}
