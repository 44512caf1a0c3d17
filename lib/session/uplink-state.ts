import { CometError } from '../errors.ts'

/** How many SENDs with an id are remembered of a session, so that a repeated one is harmless. */
const REMEMBERED = 64

/** How long their answers may be together. */
const REMEMBERED_LENGTH = 65_536

/** What a session needs once it sends packets. */
export class UplinkState {
  /** Settles when the last packet is done with. */
  #tail: Promise<unknown> = Promise.resolve()
  #waiting = 0
  /** The answers to the latest SENDs, by their id. */
  readonly answers = new Map<string, string | undefined>()
  #answerLength = 0
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

  /**
   * Does something after all that was enqueued before.
   *
   * @throws CometError TOO_MANY_PACKETS when as many wait as may
   */
  async enqueue<T>(work: () => Promise<T>, limit: number): Promise<T> {
    if (this.#waiting >= limit)
      throw new CometError('TOO_MANY_PACKETS', 'Too many packets wait for one that takes long.')
    this.#waiting += 1
    const done = this.#tail.then(work)
    this.#tail = done.then(
      () => this.#waiting--,
      () => this.#waiting--,
    )
    return await done
  }

  remember(id: string, answer: string | undefined): void {
    this.answers.set(id, answer)
    this.#answerLength += answer?.length ?? 0
    for (const [oldest, its] of this.answers) {
      if (this.answers.size <= REMEMBERED && this.#answerLength <= REMEMBERED_LENGTH) break
      this.answers.delete(oldest)
      this.#answerLength -= its?.length ?? 0
    }
  }
}
