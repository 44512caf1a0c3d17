import { CometError } from '../../lib/errors.ts'
import { codeOf } from './connection.ts'

/**
 * What a user of Redis must be allowed, as `ACL SETUSER` takes it. Without `+info` everything works, too: Comet does not
 * warn of a `maxmemory-policy` that removes its keys then, and notices a restart of Redis only by what is missing.
 */
const RIGHTS = '~comet:* +@read +@write -@dangerous +eval +evalsha +time +info'

const ADVICE: Readonly<Record<string, string>> = {
  VERSION: 'This Redis is too old. Comet needs version 7.0 or later.',
  FORMAT:
    'A later version of comet-sse uses this namespace in Redis. Update this node, or give it another option namespace.',
  NOPERM: `The user of the Redis client may not do what Comet needs. Allow it: ${RIGHTS}`,
}

/** How Redis 7 refuses a command within a script for want of a right, without a code of its own. */
const NOT_PERMITTED = /^-?ERR The user executing the script can't/

/** Makes an error that says what to change, where that is known. Returns any other error unchanged. */
export function explain(error: unknown): Error {
  const isNotPermitted = NOT_PERMITTED.test((error as Error | undefined)?.message ?? '')
  const advice = ADVICE[isNotPermitted ? 'NOPERM' : (codeOf(error) ?? '')]
  if (advice !== undefined) return new CometError('INVALID_OPTION', advice, { cause: error })
  return error instanceof Error ? error : new Error(String(error))
}

/** Makes the error of a call of presence that could not be carried out. */
export function unavailable(cause?: unknown): CometError {
  return new CometError('UNAVAILABLE', 'Redis, which knows who is online, cannot be reached.', { cause })
}
