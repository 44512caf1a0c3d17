/** The precision of the times, in milliseconds. */
const TICK_MS = 100

/** The most ticks that the wheel sleeps when nothing is due. Waking up every tick for nothing took 0.2 % of a core. */
const LONGEST_SLEEP = 10

/** An item of a wheel. */
export interface Timed {
  /** Set by the wheel only: the item's slot; undefined while it is not scheduled. */
  slot: number | undefined
}

/** Wakes many items at their times with one timer, which runs only while something is scheduled. */
export class TimerWheel<T extends Timed> {
  readonly #wake: (item: T, now: number) => number
  readonly #slots = new Map<number, Set<T>>()
  #timer: NodeJS.Timeout | undefined
  /** The latest slot that was woken. */
  #at = 0
  /** The slot that the timer waits for. */
  #awaited = 0

  /**
   * @param wake called with an item whose time has come. Returns its next time, on the clock of `performance.now()`,
   *   or infinity for never
   */
  constructor(wake: (item: T, now: number) => number) {
    this.#wake = wake
  }

  /** Schedules an item, or moves it. An infinite time takes it off the wheel. */
  set(item: T, time: number): void {
    this.#take(item)
    if (time === Number.POSITIVE_INFINITY) {
      this.#stopIfEmpty()
      return
    }
    if (this.#timer === undefined) this.#at = Math.floor(performance.now() / TICK_MS)
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
    const pause = Math.ceil(this.#awaited * TICK_MS - performance.now())
    this.#timer = setTimeout(() => this.#tick(), pause).unref()
  }

  #tick(): void {
    const now = performance.now()
    const until = Math.floor(now / TICK_MS)
    // Items that `wake` schedules now must not restart the timer: that happens below.
    this.#awaited = 0
    while (this.#at < until) {
      this.#at += 1
      for (const item of this.#slots.get(this.#at) ?? []) {
        const next = this.#wake(item, now)
        // The wake may have taken the item off the wheel.
        if (item.slot !== undefined) this.set(item, next)
      }
    }
    if (this.#slots.size > 0) this.#sleep()
  }
}
