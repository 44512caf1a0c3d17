interface Code {
  /** The HTTP status a request gets that failed for this reason. */
  readonly status: number
  /** What happened, in words: the default message of the error. */
  readonly meaning: string
  /** Passing: a stream request is answered with a 200 that ends at once, so that EventSource comes back. */
  readonly notNow?: true
}

/**
 * Every error of Comet by its code: what a caller may switch on, what an HTTP client gets in
 * `{ error: { code, message } }`, and which status goes with it.
 */
export const ERRORS = {
  INVALID_OPTION: { status: 500, meaning: 'An option has a value it cannot have.' },
  INVALID_TARGET: { status: 400, meaning: 'The target of an event is missing or malformed.' },
  INVALID_EVENT: { status: 400, meaning: 'The event is malformed.' },
  INVALID_ID: { status: 400, meaning: 'A uid, rid, sid or clientId is malformed.' },
  INVALID_JSON: { status: 400, meaning: 'The text is not JSON.' },
  INVALID_FIELD: { status: 400, meaning: 'A field has the wrong type or is out of range.' },
  INVALID_BODY: { status: 400, meaning: 'The request body could not be read.' },
  KEPT_AWAY: { status: 204, meaning: 'The client was told not to come back.' },
  UNAUTHENTICATED: { status: 401, meaning: 'Nobody is signed in.' },
  FORBIDDEN: { status: 403, meaning: 'This is not allowed.' },
  CROSS_SITE: { status: 403, meaning: 'The request comes from another site.' },
  ROOM_REFUSED: { status: 403, meaning: 'The room may not be entered.' },
  TOO_MANY_ROOMS: { status: 403, meaning: 'The session is in maxRoomsPerSession rooms already.' },
  NOT_YOUR_SESSION: { status: 403, meaning: 'The session belongs to another user.' },
  NO_SUCH_SESSION: { status: 404, meaning: 'There is no such session.' },
  METHOD_NOT_ALLOWED: { status: 405, meaning: 'The method is not allowed here.' },
  NOT_ACCEPTABLE: { status: 406, meaning: 'The client does not accept text/event-stream.' },
  EVENT_TOO_LARGE: { status: 413, meaning: 'The event is larger than maxEventBytes.' },
  PACKET_TOO_LARGE: { status: 413, meaning: 'The packet is larger than maxUplinkBytes.' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, meaning: 'A packet must be sent as application/json.' },
  TOO_MANY_SESSIONS: { status: 429, meaning: 'The user has maxSessionsPerUser sessions already.' },
  TOO_MANY_PACKETS: { status: 429, meaning: 'The session sends faster than its uplinkRate.' },
  INVALID_IDENTITY: { status: 500, meaning: 'identify answered something that is no identity.' },
  INTERNAL: { status: 500, meaning: 'The server failed.' },
  OWNER_UNREACHABLE: { status: 503, meaning: 'The node that owns the session did not answer in time.' },
  UNAVAILABLE: { status: 503, meaning: 'The server cannot do this right now.', notNow: true },
  SHUTTING_DOWN: { status: 503, meaning: 'The server is shutting down.', notNow: true },
} as const satisfies Record<string, Code>

/** A key of the error table. */
export type CometErrorCode = keyof typeof ERRORS

/** The one error class of Comet. A host may throw it too, from `onMessage` for one, to choose the answer. */
export class CometError extends Error {
  override readonly name = 'CometError'
  readonly code: CometErrorCode
  /** The HTTP status that goes with the code. Not read-only: Koa sets it on every error it answers. */
  status: number

  /**
   * @param code what went wrong
   * @param message names what was wrong and what to change; by default the code's meaning
   */
  constructor(code: CometErrorCode, message: string = ERRORS[code].meaning, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.status = ERRORS[code].status
  }

  /** True when the cause will pass, so that a client should come back by itself. */
  get notNow(): boolean {
    return 'notNow' in ERRORS[this.code]
  }
}

/**
 * Whether something thrown is a CometError. Not by `instanceof`, which fails where an app loads this package
 * both as a module and with `require`.
 */
export function isCometError(thrown: unknown): thrown is CometError {
  return thrown instanceof Error && thrown.name === 'CometError'
}
