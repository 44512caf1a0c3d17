interface Bucket {
  tokens: number
  /** When `tokens` was right, on the clock of `performance.now()`. */
  filled: number
}

/**
 * Limits a rate by key: each key has a bucket that holds `burst` tokens and gets `rate` a second.
 *
 * A bucket that is full again need not be kept. Buckets are in two generations: when the older one has had the time to
 * fill up, it is dropped, and the younger one takes its place. So there is no timer and nothing to search.
 */
export class TokenBuckets {
  readonly #rate: number
  readonly #burst: number
  /** The time in which an empty bucket fills up, in milliseconds. */
  readonly #fillTime: number
  #younger = new Map<string, Bucket>()
  #older = new Map<string, Bucket>()
  /** When the younger generation began. */
  #began = performance.now()

  /**
   * @param rate tokens a second
   * @param burst the most tokens that a key may have
   */
  constructor(rate: number, burst: number) {
    this.#rate = rate
    this.#burst = burst
    this.#fillTime = (burst / rate) * 1000
  }

  /** The number of keys that take memory. */
  get size(): number {
    return this.#younger.size + this.#older.size
  }

  /** Takes tokens from the bucket of a key. @returns false when there are not enough; none are taken then */
  take(key: string, amount = 1): boolean {
    const now = performance.now()
    if (now - this.#began >= this.#fillTime) this.#turn(now)
    const bucket = this.#younger.get(key) ?? this.#older.get(key) ?? { tokens: this.#burst, filled: now }
    bucket.tokens = Math.min(this.#burst, bucket.tokens + ((now - bucket.filled) / 1000) * this.#rate)
    bucket.filled = now
    if (bucket.tokens < amount) return false
    bucket.tokens -= amount
    this.#older.delete(key)
    this.#younger.set(key, bucket)
    return true
  }

  #turn(now: number): void {
    // What was used last before the younger generation began is full by now.
    const isLate = now - this.#began >= 2 * this.#fillTime
    this.#older = isLate ? new Map() : this.#younger
    this.#younger = new Map()
    this.#began = now
  }
}
