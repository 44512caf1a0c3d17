/** The longest time of a timer, in milliseconds. A longer one would fire at once. */
export const MAX_TIMER = 2_147_483_647

/** Picks delays between attempts. */
export interface Backoff {
  /** The longest delay after the first failure, in milliseconds. It doubles with each further one. */
  base: number
  /**
   * Picks the next delay, in milliseconds.
   *
   * @param after the time that the server asked to wait. Clients that were told the same are spread over half of it more
   */
  next(after?: number): number
  /** An attempt has succeeded for good. */
  reset(): void
}

/**
 * Makes a backoff with full jitter, so that clients that were cut off together do not come back together.
 *
 * @param least the least delay, and `most` the longest that the doubled base may become, in milliseconds
 */
export function createBackoff(least: number, most: number, base: number): Backoff {
  let failures = 0
  const backoff: Backoff = {
    base,
    next(after = 0) {
      const longest = Math.max(least, Math.min(most, backoff.base * 2 ** failures))
      failures += 1
      const delay = least + Math.random() * (longest - least)
      return Math.min(MAX_TIMER, Math.max(delay, after * (1 + Math.random() / 2)))
    },
    reset() {
      failures = 0
    },
  }
  return backoff
}

/** A promise that is settled from outside. Nobody needs to handle its rejection. */
export interface Deferred {
  readonly promise: Promise<void>
  resolve(): void
  reject(error: unknown): void
}

/** Makes a promise that is settled from outside. */
export function createDeferred(): Deferred {
  const deferred = {} as { -readonly [Key in keyof Deferred]: Deferred[Key] }
  deferred.promise = new Promise((resolve, reject) => {
    deferred.resolve = resolve
    deferred.reject = reject
  })
  deferred.promise.catch(() => {})
  return deferred
}

/** Makes a random name. Not by `crypto.randomUUID`, which pages have only over HTTPS. */
export function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join('')
}
