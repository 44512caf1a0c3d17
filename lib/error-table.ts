/** One row of the table. */
interface ErrorRow {
  /** The HTTP status of a request that fails for this reason. */
  readonly status: number
  /** The default message of the error. */
  readonly meaning: string
  /** The cause will pass: a stream request gets a 200 that ends at once, so that EventSource reconnects. */
  readonly temporary?: true
}

/**
 * Every error of Comet by code: callers switch on it, HTTP clients get it in `{ error: { code, message } }`. Apart from
 * the class, so that a bundle for browsers that needs none of it leaves it out.
 */
export const ERRORS = {
  INVALID_OPTION: { status: 500, meaning: 'An option has a value it cannot have.' },
  INVALID_TARGET: { status: 500, meaning: 'The target of an event is missing or malformed.' },
  INVALID_EVENT: { status: 500, meaning: 'The event is malformed.' },
  INVALID_ID: { status: 400, meaning: 'A uid, rid, sid or clientId is malformed.' },
  INVALID_JSON: { status: 400, meaning: 'The text is not JSON.' },
  INVALID_FIELD: { status: 400, meaning: 'A field has the wrong type or is out of range.' },
  INVALID_BODY: { status: 400, meaning: 'The request body could not be read.' },
  STAY_AWAY: { status: 204, meaning: 'The client was told to stay away.' },
  UNAUTHENTICATED: { status: 401, meaning: 'Nobody is signed in.' },
  FORBIDDEN: { status: 403, meaning: 'This is not allowed.' },
  CROSS_SITE: { status: 403, meaning: 'The request comes from another site.' },
  ROOM_REFUSED: { status: 403, meaning: 'The room may not be entered.' },
  TOO_MANY_ROOMS: { status: 403, meaning: 'The session is in maxRoomsPerSession rooms already.' },
  NOT_YOUR_SESSION: { status: 403, meaning: 'The session belongs to another user.' },
  NO_SUCH_SESSION: { status: 404, meaning: 'There is no such session.' },
  METHOD_NOT_ALLOWED: { status: 405, meaning: 'The method is not allowed here.' },
  NOT_ACCEPTABLE: { status: 406, meaning: 'The client does not accept text/event-stream.' },
  BODY_TIMEOUT: { status: 408, meaning: 'The request body did not arrive in time.' },
  EVENT_TOO_LARGE: {
    status: 413,
    meaning: 'The event is larger than maxEventBytes, or than the broker takes.',
  },
  PACKET_TOO_LARGE: { status: 413, meaning: 'The packet is larger than maxPacketBytes.' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, meaning: 'A packet must be sent as application/json.' },
  TOO_MANY_SESSIONS: { status: 429, meaning: 'The user has maxSessionsPerUser sessions already.' },
  TOO_MANY_PACKETS: { status: 429, meaning: 'The session sends faster than its packetRate.' },
  TOO_MUCH_HISTORY: { status: 429, meaning: 'The user asks for past events faster than historyRate.' },
  ABORTED: { status: 500, meaning: 'The signal of publishAll was aborted.' },
  INVALID_IDENTITY: { status: 500, meaning: 'identify answered something that is no identity.' },
  INTERNAL: { status: 500, meaning: 'The server failed.' },
  OWNER_UNREACHABLE: { status: 503, meaning: 'The node that owns the session did not answer in time.' },
  UNAVAILABLE: { status: 503, meaning: 'The server cannot do this right now.', temporary: true },
  TOO_MANY_CONNECTS: {
    status: 503,
    meaning: 'The user opens streams faster than the connectRate.',
    temporary: true,
  },
  SHUTTING_DOWN: { status: 503, meaning: 'The server is shutting down.', temporary: true },
} as const satisfies Record<string, ErrorRow>

/** A key of the error table. */
export type CometErrorCode = keyof typeof ERRORS
