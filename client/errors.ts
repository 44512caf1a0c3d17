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

/** Details of a {@link CometClientError}. */
export interface CometClientErrorDetails {
  /** The HTTP status of the answer, if there was one. */
  readonly status?: number | undefined
  readonly cause?: unknown
}

/** The one error class of the client. What the server refused has the server's code and message. */
export class CometClientError extends Error {
  override readonly name = 'CometClientError'
  /** Why: a code of the server, or a {@link CometClientErrorCode}. Switch on it. */
  readonly code: string
  /** The HTTP status of the answer. Undefined when there was none. */
  readonly status: number | undefined

  constructor(code: string, message: string, { status, cause }: CometClientErrorDetails = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.status = status
  }
}
