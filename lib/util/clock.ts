const NS_PER_MS = 1_000_000n

/** The difference from the wall clock at which the clock follows it: the wall clock was set or slewed. */
const TOLERANCE_NS = 5n * NS_PER_MS

/** The two clocks that a {@link Clock} is made of. */
export interface TimeSource {
  /** Milliseconds since January 1, 1970 UTC. May jump at any time. */
  wall(): number
  /** Nanoseconds since some fixed moment. Never jumps. */
  monotonic(): bigint
}

/** Tells the time in nanoseconds since January 1, 1970 UTC. */
export interface Clock {
  /** Never runs backwards. */
  now(): bigint
  /** Takes a time stamp of another clock: from here on this clock is not earlier. */
  observe(time: bigint): void
  /** Moves the clock, because the wall clock of this machine is found to be wrong. */
  shift(nanoseconds: bigint): void
}

/**
 * Creates a clock of nanoseconds that never runs backwards and stays close to the wall clock. When the wall clock jumps
 * forward, it follows at once; when the wall clock jumps back, it stands still until the wall clock has caught up.
 *
 * `Date.now()` has only milliseconds and may jump back; `process.hrtime` has no epoch and ignores corrections of the
 * system clock. So the first is the anchor, and the second counts on from it.
 */
export function createClock(source: TimeSource): Clock {
  let shifted = 0n
  const wallNow = (): bigint => BigInt(Math.trunc(source.wall())) * NS_PER_MS + shifted
  let offset = wallNow() - source.monotonic()
  let last = 0n
  const observe = (time: bigint): void => {
    if (time > last) last = time
  }
  return {
    now() {
      const wall = wallNow()
      let time = source.monotonic() + offset
      const error = time - wall
      if (error > TOLERANCE_NS || error < -TOLERANCE_NS) {
        offset += wall - time
        time = wall
      }
      observe(time)
      return last
    },
    observe,
    shift(nanoseconds) {
      shifted += nanoseconds
    },
  }
}

/** The clock of this process. All Comets in it share the clock, so that their time stamps compare. */
export const clock: Clock = createClock({ wall: () => Date.now(), monotonic: () => process.hrtime.bigint() })

/** The time of {@link clock}. */
export const now = (): bigint => clock.now()

/** The time on the clock of `performance.now()`, in whole milliseconds: V8 keeps other numbers as objects. */
export function wholeTime(): number {
  return Math.floor(performance.now())
}
