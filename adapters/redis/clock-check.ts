import type { Clock } from '../../lib/util/clock.ts'

/** How far the clock of a node may be from that of Redis, in microseconds. */
const MOST_US = 1_000_000

/**
 * Compares the clock of this process with that of Redis. When it is too far off, warns once and moves it, because nodes
 * order by time what they say of a user.
 */
export class ClockCheck {
  readonly #clock: Clock
  #hasWarned = false
  /** On the clock of `performance.now()`: until then the clock may stand still, because it was moved back. */
  #waitsUntil = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Takes the time on the clock of Redis, and the time on this one before Redis was asked and after it has answered, all
   * in microseconds.
   */
  onTime(store: number, before: number, after: number): void {
    // However long the question was on its way, the clock is at least that far off.
    const off = before - store > MOST_US ? before - store : Math.min(0, after - store)
    if (Math.abs(off) <= MOST_US || performance.now() < this.#waitsUntil) return
    this.#waitsUntil = off > 0 ? performance.now() + off / 1_000 : 0
    this.#clock.shift(BigInt(-off) * 1_000n)
    if (this.#hasWarned) return
    this.#hasWarned = true
    const side = off > 0 ? 'ahead of' : 'behind'
    process.emitWarning(
      `The clock of this machine is ${(Math.abs(off) / 1e6).toFixed(1)} s ${side} that of Redis. Comet corrects its own time stamps; synchronize the clocks.`,
      'CometWarning',
    )
  }
}
