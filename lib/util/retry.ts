const LEAST_MS = 50
const MOST_MS = 1_000

/** Waits between tries: 50 ms, then twice as long each time up to 1 s, a random part of it less. */
export class Retry {
  #delay = LEAST_MS
  #timer: NodeJS.Timeout | undefined
  #wake: (() => void) | undefined
  #isStopped = false

  /**
   * Waits. Settles at once when {@link stop} is called, or was.
   *
   * @param isTry whether something was tried. If not, the wait is the shortest
   */
  wait(isTry = true): Promise<void> {
    const delay = (isTry ? this.#delay : LEAST_MS) * (0.5 + Math.random() / 2)
    if (isTry) this.#delay = Math.min(2 * this.#delay, MOST_MS)
    if (this.#isStopped) return Promise.resolve()
    return new Promise((resolve) => {
      this.#wake = resolve
      this.#timer = setTimeout(resolve, delay)
    })
  }

  /** It worked: the next wait is short again. */
  reset(): void {
    this.#delay = LEAST_MS
  }

  /** Ends a wait, and lets no other one begin. Idempotent. */
  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
    this.#wake?.()
  }
}
