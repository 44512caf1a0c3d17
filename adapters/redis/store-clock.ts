/** How exact a measurement must be to be used, in milliseconds. A longer trip to Redis tells little. */
const EXACT_MS = 100

/** How long a measurement holds that was not exact, in milliseconds. */
const VALID_MS = 60_000

/**
 * The clock of Redis, estimated: it was asked for its time now and then, and this process counts on from the answer. All
 * deadlines between nodes are on it.
 */
export class StoreClock {
  /** The time of Redis minus that of `performance.now()`, in milliseconds. */
  #offset = Date.now() - performance.now()
  #measured = Number.NEGATIVE_INFINITY

  /** Takes an answer to the question for the time, which was asked at `asked` on the clock of `performance.now()`. */
  observe(time: number, asked: number): void {
    const now = performance.now()
    // A process that was stopped on the way, or is busy, would take its own delay for that of Redis.
    if (now - asked > EXACT_MS && now - this.#measured < VALID_MS) return
    this.#offset = time - (asked + now) / 2
    this.#measured = now
  }

  /** Milliseconds since January 1, 1970 UTC on the clock of Redis. */
  now(): number {
    return performance.now() + this.#offset
  }
}
