import { withoutSession } from './express-session.ts'
import type { Response } from './messages.ts'

/**
 * Ends the response of a stream, past the `end` that a middleware may have put on it. What such an `end` does for a
 * response, it would do minutes late: express-session saves the session as it was when the stream began.
 *
 * Where a middleware has replaced `write` and the chunks went through it, its own `end` must follow: compression holds
 * the last bytes until then.
 *
 * @param isBypassed whether the chunks went past the response
 */
export function endStream(res: Response, isBypassed: boolean): void {
  if (isBypassed || !Object.hasOwn(res, 'write')) Object.getPrototypeOf(res).end.call(res)
  else withoutSession(res, () => res.end())
}
