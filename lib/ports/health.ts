import type { PortStatus } from './status.ts'

/** How long something must fail before it counts as an outage, in milliseconds. What is over sooner was retried. */
export const OUTAGE_MS = 1_000

/**
 * Tells from what fails and works whether a port is up: once for each outage, and once for each recovery. A port is
 * down while one of its parts has failed for a second, and up again once all of them work.
 */
export class Health {
  readonly #report: (status: PortStatus) => void
  readonly #explain: (error: unknown) => Error
  /** The parts that fail, each with its last error. */
  readonly #failing = new Map<string, Error>()
  #timer: NodeJS.Timeout | undefined
  #isUp = true

  /**
   * @param report must not throw
   * @param explain makes an error that says what to change, where that is known
   */
  constructor(report: (status: PortStatus) => void, explain = asError) {
    this.#report = report
    this.#explain = explain
  }

  get isUp(): boolean {
    return this.#isUp
  }

  /** A part failed, and will be tried again. */
  failed(part: string, error: unknown): void {
    this.#failing.set(part, this.#explain(error))
    if (!this.#isUp || this.#timer !== undefined) return
    this.#timer = setTimeout(() => this.#onOutage(), OUTAGE_MS)
    this.#timer.unref()
  }

  /** A part works. */
  works(part: string): void {
    if (!this.#failing.delete(part) || this.#failing.size > 0) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#isUp) return
    this.#isUp = true
    this.#report({ up: true })
  }

  /** Nothing is told any more. */
  close(): void {
    clearTimeout(this.#timer)
    this.#failing.clear()
    this.#isUp = true
  }

  #onOutage(): void {
    this.#timer = undefined
    this.#isUp = false
    const [error] = this.#failing.values()
    this.#report({ up: false, ...(error === undefined ? {} : { error }) })
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
