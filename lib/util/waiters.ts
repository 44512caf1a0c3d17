import { patientTimeout } from './patient-timeout.ts'

interface Waiter<T> {
  readonly item: T
  readonly done: () => void
}

/** Those who wait for something to come, each for a time at most. */
export class Waiters<T> {
  readonly #waiters = new Set<Waiter<T>>()

  /**
   * Waits.
   *
   * @param item what is waited for, for {@link end}
   * @param timeout the longest wait, in milliseconds
   * @returns settles when {@link end} is called for the item, or the time is over. Never rejects
   */
  wait(item: T, timeout: number): Promise<void> {
    return new Promise((resolve) => {
      const waiter: Waiter<T> = {
        item,
        done: () => {
          clearTimeout(timer)
          this.#waiters.delete(waiter)
          resolve()
        },
      }
      const timer = patientTimeout(waiter.done, timeout, undefined)
      this.#waiters.add(waiter)
    })
  }

  /** Ends the waits for the items that fit. */
  end(fits: (item: T) => boolean): void {
    for (const { item, done } of this.#waiters) if (fits(item)) done()
  }
}
