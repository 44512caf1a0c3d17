/** How many SENDs with an id are remembered of a session, so that a repeated one is harmless. */
const REMEMBERED = 64

/** What a session needs once it sends packets. */
export class UplinkState {
  /** Settles when the last packet is done with. */
  tail: Promise<unknown> = Promise.resolve()
  /** The answers to the latest SENDs, by their id. */
  readonly answers = new Map<string, string | undefined>()
  #tokens: number
  #filled = performance.now()

  constructor(rate: number) {
    this.#tokens = 2 * rate
  }

  /** Takes a token from a bucket that is filled `rate` times a second and holds twice as many. */
  take(rate: number): boolean {
    const time = performance.now()
    this.#tokens = Math.min(2 * rate, this.#tokens + ((time - this.#filled) / 1000) * rate)
    this.#filled = time
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }

  remember(id: string, answer: string | undefined): void {
    this.answers.set(id, answer)
    if (this.answers.size <= REMEMBERED) return
    for (const oldest of this.answers.keys()) {
      this.answers.delete(oldest)
      break
    }
  }
}
