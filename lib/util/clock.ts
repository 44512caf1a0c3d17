const NS_PER_MS = 1_000_000n

/** How far the estimate may be from the wall clock before it follows: the wall clock was stepped or slewed. */
const TOLERANCE_NS = 5n * NS_PER_MS

/** Where a {@link Clock} gets its time from. */
export interface TimeSource {
  /** Milliseconds since January 1, 1970 UTC; may be stepped at any time. */
  wall(): number
  /** Nanoseconds since some fixed moment; never stepped. */
  monotonic(): bigint
}

/** Answers nanoseconds since January 1, 1970 UTC. */
export type Clock = () => bigint

/**
 * A clock of nanoseconds that never runs backwards and stays close to the wall clock: it follows a step
 * forward at once, and after a step backward it stands still until the wall clock has caught up.
 *
 * `Date.now()` has only milliseconds and may go back, `process.hrtime` has no epoch and does not follow a
 * correction of the system clock; so the one is the anchor and the other counts on from it.
 */
export function createClock(source: TimeSource): Clock {
  const wallNow = (): bigint => BigInt(Math.trunc(source.wall())) * NS_PER_MS
  let offset = wallNow() - source.monotonic()
  let last = 0n
  return () => {
    const wall = wallNow()
    let time = source.monotonic() + offset
    const error = time - wall
    if (error > TOLERANCE_NS || error < -TOLERANCE_NS) {
      offset += wall - time
      time = wall
    }
    if (time > last) last = time
    return last
  }
}

/** The clock of this process. One for all Comets in it, so that their stamps compare. */
export const now: Clock = createClock({ wall: () => Date.now(), monotonic: () => process.hrtime.bigint() })
