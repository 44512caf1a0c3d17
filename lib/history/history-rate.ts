/** How many seconds' worth of bytes a user may ask for at once. */
const BURST = 16

/** What a user may still ask for. */
interface Bucket {
  readonly bytes: number
  /** When it held that many, on the clock of `performance.now()`. */
  readonly time: number
}

/**
 * Limits the past events that each user asks for: a bucket that gets `rate` bytes a second, and holds 16 times that.
 *
 * A bucket that is full again is dropped: only users that asked in the last 16 seconds before the latest request have
 * one.
 */
export class HistoryRate {
  readonly #rate: number
  /** By uid, those charged last at the end. A user without a bucket has a full one. */
  readonly #buckets = new Map<string, Bucket>()

  /** @param rate bytes a second */
  constructor(rate: number) {
    this.#rate = rate
  }

  /** The number of buckets that are not full, or were not when somebody asked last. */
  get size(): number {
    return this.#buckets.size
  }

  /** Charges a user. @returns false when it may not ask for that much now; then nothing is charged */
  take(uid: string, bytes: number): boolean {
    if (bytes === 0) return true
    const time = performance.now()
    this.#dropFull(time)
    const full = BURST * this.#rate
    const bucket = this.#buckets.get(uid)
    const filled = bucket === undefined ? full : bucket.bytes + ((time - bucket.time) / 1000) * this.#rate
    const left = Math.min(full, filled) - bytes
    if (left < 0) return false
    this.#buckets.delete(uid)
    this.#buckets.set(uid, { bytes: left, time })
    return true
  }

  #dropFull(time: number): void {
    for (const [uid, bucket] of this.#buckets) {
      if (time - bucket.time < BURST * 1000) return
      this.#buckets.delete(uid)
    }
  }
}
