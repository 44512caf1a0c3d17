/** How exact the times are, in milliseconds. */
const TICK_MS = 100

/** For how many ticks it sleeps at most when there is nothing to do: to wake up for nothing costs, too. */
const LONGEST_SLEEP = 10

/** Something that is to be woken. */
export interface Timed {
  /** The timerWheel's own: where it stands; undefined while it is not scheduled. */
  slot: number | undefined
}

/**
 * Wakes things at their times with one timer for all of them. The timer runs only while something is scheduled.
 *
 * @typeParam T woken by `wake`, which answers when to wake it next
 */
export class TimerWheel<T extends Timed> {
  readonly #wake: (item: T, now: number) => number
  readonly #slots = new Map<number, Set<T>>()
  #timer: NodeJS.Timeout | undefined
  /** The latest slot that was woken. */
  #at = 0
  /** The slot that the timer waits for. */
  #awaited = 0

  /** @param wake answers the next time of the item, on the clock of `performance.now()`; infinite for never */
  constructor(wake: (item: T, now: number) => number) {
    this.#wake = wake
  }

  /** Schedules something, or moves it. */
  set(item: T, time: number): void {
    this.#take(item)
    if (time === Number.POSITIVE_INFINITY) {
      this.#rest()
      return
    }
    if (this.#timer === undefined) this.#at = Math.floor(performance.now() / TICK_MS)
    const number = Math.max(this.#at + 1, Math.ceil(time / TICK_MS))
    const slot = this.#slots.get(number) ?? new Set()
    this.#slots.set(number, slot.add(item))
    item.slot = number
    if (this.#timer === undefined || number < this.#awaited) this.#sleep()
  }

  delete(item: T): void {
    this.#take(item)
    this.#rest()
  }

  #take(item: T): void {
    if (item.slot === undefined) return
    const slot = this.#slots.get(item.slot)
    slot?.delete(item)
    if (slot?.size === 0) this.#slots.delete(item.slot)
    item.slot = undefined
  }

  #rest(): void {
    if (this.#slots.size > 0) return
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** Until there is something to do. */
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
    // Nothing that is set meanwhile need be waited for yet.
    this.#awaited = 0
    while (this.#at < until) {
      this.#at += 1
      for (const item of this.#slots.get(this.#at) ?? []) {
        const next = this.#wake(item, now)
        if (item.slot !== undefined) this.set(item, next)
      }
    }
    if (this.#slots.size > 0) this.#sleep()
  }
}
