interface Bucket {
  readonly tokens: number
  /** When it had that many, on the clock of `performance.now()`. */
  readonly time: number
}

/**
 * Limits a rate by key: each key has a bucket that holds `burst` tokens and gets `rate` a second.
 *
 * A key without a bucket has a full one. A bucket is dropped once it has had the time to fill up, so keys that do nothing
 * take no memory, and there is no timer.
 */
export class TokenBuckets {
  readonly #rate: number
  readonly #burst: number
  /** The time in which an empty bucket fills up, in milliseconds. */
  readonly #fillTime: number
  /** By key, those that were charged last at the end. */
  readonly #buckets = new Map<string, Bucket>()

  /**
   * @param rate tokens a second
   * @param burst the most tokens that a key may have
   */
  constructor(rate: number, burst: number) {
    this.#rate = rate
    this.#burst = burst
    this.#fillTime = (burst / rate) * 1000
  }

  /** The number of buckets that are not full, or were not when tokens were taken last. */
  get size(): number {
    return this.#buckets.size
  }

  /** Takes tokens from the bucket of a key. @returns false when there are not enough; none are taken then */
  take(key: string, amount = 1): boolean {
    if (amount === 0) return true
    const time = performance.now()
    this.#dropFull(time)
    const bucket = this.#buckets.get(key)
    const filled =
      bucket === undefined ? this.#burst : bucket.tokens + ((time - bucket.time) / 1000) * this.#rate
    const tokens = Math.min(this.#burst, filled) - amount
    if (tokens < 0) return false
    this.#buckets.delete(key)
    this.#buckets.set(key, { tokens, time })
    return true
  }

  #dropFull(time: number): void {
    for (const [key, bucket] of this.#buckets) {
      if (time - bucket.time < this.#fillTime) return
      this.#buckets.delete(key)
    }
  }
}
