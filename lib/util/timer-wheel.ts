import { LATE_MS } from './patient-timeout.ts'

/** The precision of the times, in milliseconds. */
const TICK_MS = 100

/** The most ticks that the wheel sleeps when nothing is due. Waking up every tick for nothing took 0.2 % of a core. */
const LONGEST_SLEEP = 10

/** An item of a wheel. */
export interface Timed {
  /** Set by the wheel only: the item's slot; undefined while it is not scheduled. */
  slot: number | undefined
}

/**
 * Wakes many items at their times with one timer, which runs only while something is scheduled. The clock may be set:
 * the wheel follows it within a second, forwards and backwards.
 */
export class TimerWheel<T extends Timed> {
  readonly #wake: (item: T, now: number) => number
  readonly #clock: () => number
  readonly #slots = new Map<number, Set<T>>()
  #timer: NodeJS.Timeout | undefined
  /** The latest slot that was woken. */
  #at = 0
  /** The slot that the timer waits for. */
  #awaited = 0
  /** When the timer should fire, on the clock of `performance.now()`. */
  #due = 0
  /** When the timer last fired late, on the clock of the wheel. */
  #lateAt = Number.NEGATIVE_INFINITY

  /**
   * @param wake called with an item whose time has come. Returns its next time, or infinity for never
   * @param clock the clock of all times, in milliseconds
   */
  constructor(wake: (item: T, now: number) => number, clock = () => performance.now()) {
    this.#wake = wake
    this.#clock = clock
  }

  /** Tells whether the process stood still after a time, so that peers cannot be blamed for what did not happen. */
  stoodStillSince(time: number): boolean {
    return this.#lateAt > time
  }

  /** Schedules an item, or moves it. An infinite time takes it off the wheel. */
  set(item: T, time: number): void {
    this.#take(item)
    if (time === Number.POSITIVE_INFINITY) {
      this.#stopIfEmpty()
      return
    }
    const now = Math.floor(this.#clock() / TICK_MS)
    // Earlier than the latest slot when the clock was set back since.
    if (this.#timer === undefined || now < this.#at) this.#at = now
    const number = Math.max(this.#at + 1, Math.ceil(time / TICK_MS))
    const slot = this.#slots.get(number) ?? new Set()
    this.#slots.set(number, slot.add(item))
    item.slot = number
    if (this.#timer === undefined || number < this.#awaited) this.#sleep()
  }

  /** Idempotent. */
  delete(item: T): void {
    this.#take(item)
    this.#stopIfEmpty()
  }

  /** Takes all items off the wheel. */
  clear(): void {
    for (const slot of this.#slots.values()) for (const item of slot) item.slot = undefined
    this.#slots.clear()
    this.#stopIfEmpty()
  }

  #take(item: T): void {
    if (item.slot === undefined) return
    const slot = this.#slots.get(item.slot)
    slot?.delete(item)
    if (slot?.size === 0) this.#slots.delete(item.slot)
    item.slot = undefined
  }

  #stopIfEmpty(): void {
    if (this.#slots.size > 0) return
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** Sleeps until the next slot that is in use, at most `LONGEST_SLEEP` ticks. */
  #sleep(): void {
    clearTimeout(this.#timer)
    this.#awaited = this.#at + 1
    while (this.#awaited < this.#at + LONGEST_SLEEP && !this.#slots.has(this.#awaited)) this.#awaited += 1
    const pause = Math.min(Math.ceil(this.#awaited * TICK_MS - this.#clock()), LONGEST_SLEEP * TICK_MS)
    this.#due = performance.now() + pause
    this.#timer = setTimeout(() => this.#tick(), pause).unref()
  }

  #tick(): void {
    const now = this.#clock()
    const until = Math.floor(now / TICK_MS)
    if (performance.now() > this.#due + LATE_MS) this.#lateAt = now
    // Items that `wake` schedules now must not restart the timer: that happens below.
    this.#awaited = 0
    const due = this.#slotsUpTo(until)
    // Before the wake-ups: what they schedule goes to later slots. After the clock was set back, too.
    this.#at = until
    for (const number of due) {
      for (const item of this.#slots.get(number) ?? []) {
        const next = this.#wake(item, now)
        // The wake may have taken the item off the wheel.
        if (item.slot !== undefined) this.set(item, next)
      }
    }
    if (this.#slots.size > 0) this.#sleep()
  }

  /** Lists the slots in use that have come, in order. */
  #slotsUpTo(until: number): number[] {
    // After a jump of the clock there are more slots than items.
    if (until - this.#at > LONGEST_SLEEP) {
      return Array.from(this.#slots.keys())
        .filter((number) => number <= until)
        .sort((a, b) => a - b)
    }
    const numbers: number[] = []
    for (let number = this.#at + 1; number <= until; number += 1) {
      if (this.#slots.has(number)) numbers.push(number)
    }
    return numbers
  }
}
