/**
 * What the client does when a request for a stream, or a stream, is over:
 *
 * - `retry`: waits for a random time, and asks again
 * - `now`: asks again within a second, without being `waiting` in between
 * - `ask`: asks once more with the stay-away token, after `retry:`
 * - `at-once`: asks again without the rooms that were refused
 * - `close`: is `closed`
 */
export type Reaction = 'retry' | 'now' | 'ask' | 'at-once' | 'close'

/** By the status of the answer. All others from 500 on are `retry`, and all others below are `close`. */
export const BY_STATUS: Readonly<Record<number, Reaction>> = {
  408: 'retry',
  425: 'retry',
  429: 'retry',
}

/** By the code of an answer that says `close`. */
export const BY_ERROR_CODE: Readonly<Record<string, Reaction>> = {
  ROOM_REFUSED: 'at-once',
}

/** By the code of `comet.close`. All others are `retry` or `close`, as its `reconnect` says. */
export const BY_CLOSE_CODE: Readonly<Record<string, Reaction>> = {
  AGED: 'now',
  EXPIRED: 'now',
  TAKEN_OVER: 'ask',
}

/** Tells how to react to an answer that is no stream. 401 has been asked twice by then. */
export function reactionToStatus(status: number, code: string): Reaction {
  return BY_ERROR_CODE[code] ?? BY_STATUS[status] ?? (status >= 500 ? 'retry' : 'close')
}

/** Tells how to react to `comet.close`. */
export function reactionToClose(code: string, reconnect: boolean): Reaction {
  return BY_CLOSE_CODE[code] ?? (reconnect ? 'retry' : 'close')
}
