import { asAppError, CometError } from '../../lib/errors.ts'

/** How long after a report the next one may come, in milliseconds. */
const PAUSE_MS = 60_000

/**
 * Counts what came over NATS and could not be read, and reports it: the first one at once, and what comes after it once a
 * minute. No report says what was in a message: its headers may have passwords.
 */
export class Unreadable {
  readonly #onError: (error: Error) => void
  /** The number since the last report, by subject and problem. */
  readonly #counts = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(onError: (error: Error) => void) {
    this.#onError = onError
  }

  /** Counts a message. @param problem one of few texts, such as `Body must be base64.` */
  count(subject: string, problem: string): void {
    if (this.#isClosed) return
    const key = `on ${subject}: ${problem}`
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
    if (this.#timer === undefined) this.#report()
  }

  /** Reports nothing any more. */
  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#counts.clear()
  }

  #report(): void {
    this.#timer = undefined
    if (this.#counts.size === 0) return
    const lines = Array.from(this.#counts, ([key, count]) => `${count} ${key}`)
    this.#counts.clear()
    this.#timer = setTimeout(() => this.#report(), PAUSE_MS).unref()
    const message = `Messages of NATS could not be read as they are. ${lines.join(' ')}`
    this.#onError(asAppError(new CometError('INVALID_FIELD', message)) as CometError)
  }
}
