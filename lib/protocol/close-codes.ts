/** One row of the table. */
interface CloseCode {
  /** What happened: the default reason that the client is told. */
  readonly meaning: string
  /** Whether the client should reconnect by itself. One that should not gets a stay-away token. */
  readonly reconnect: boolean
  /** Whether the user still counts as present for `offlineGrace`, because the client may be back at once. */
  readonly grace: boolean
}

/** Every way a stream ends, by the code in `comet.close`. `GONE` is never sent: the client can no longer be told. */
export const CLOSE_CODES = {
  GONE: { meaning: 'The connection is gone.', reconnect: true, grace: true },
  BYE: { meaning: 'The client said BYE.', reconnect: false, grace: false },
  DISCONNECTED: { meaning: 'The server disconnected the client.', reconnect: false, grace: false },
  EVICTED: {
    meaning: 'The user opened more sessions than maxSessionsPerUser.',
    reconnect: false,
    grace: false,
  },
  TAKEN_OVER: {
    meaning: 'A new connection with the same clientId took over.',
    reconnect: false,
    grace: false,
  },
  SILENT: { meaning: 'The client was silent for three heartbeat intervals.', reconnect: true, grace: true },
  SLOW: { meaning: 'The client reads too slowly.', reconnect: true, grace: true },
  AGED: { meaning: 'The connection is older than maxConnectionAge.', reconnect: true, grace: true },
  EXPIRED: { meaning: 'The identity has expired.', reconnect: true, grace: true },
  SHUTDOWN: { meaning: 'The server is shutting down.', reconnect: true, grace: true },
} as const satisfies Record<string, CloseCode>

/** A key of the table of close codes. */
export type CometCloseCode = keyof typeof CLOSE_CODES
