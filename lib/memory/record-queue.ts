import type { UserActivityEvent } from '../protocol/user-activity-event.ts'
import { Retry } from '../util/retry.ts'

/** The most events that wait for those who take them. */
const MOST_EVENTS = 10_000

/** The most events that are given at once. */
const MOST_AT_ONCE = 100

/** Takes events for those outside. See PresenceHandler.onRecord. */
export type TakeRecord = (events: readonly UserActivityEvent[]) => Promise<void>

/** Gives the record to those outside, in order: what was not taken is given again. */
export class RecordQueue {
  readonly #taker: () => TakeRecord | undefined
  readonly #retry = new Retry()
  #events: UserActivityEvent[] = []
  #running: Promise<void> | undefined
  #hasWarned = false

  /** @param taker finds who takes events now. Undefined: nobody does, and nobody will be told */
  constructor(taker: () => TakeRecord | undefined) {
    this.#taker = taker
  }

  /** Settles when all was taken, or {@link stop} was called. @returns undefined when there is nothing */
  get given(): Promise<void> | undefined {
    return this.#running
  }

  add(events: readonly UserActivityEvent[]): void {
    if (this.#taker() === undefined) return
    if (this.#events.length + events.length > MOST_EVENTS) {
      this.#warn()
      return
    }
    this.#events.push(...events)
    this.#running ??= this.#run()
  }

  /** Gives nothing any more that is not taken at once. */
  stop(): void {
    this.#retry.stop()
    this.#events = []
  }

  async #run(): Promise<void> {
    while (this.#events.length > 0) {
      const some = this.#events.slice(0, MOST_AT_ONCE)
      try {
        await this.#taker()?.(some)
        this.#events.splice(0, some.length)
        this.#retry.reset()
      } catch {
        await this.#retry.wait()
      }
    }
    this.#running = undefined
  }

  #warn(): void {
    if (this.#hasWarned) return
    this.#hasWarned = true
    process.emitWarning(
      'Activity was lost to those who hear of it through the broker, because it was not taken for too long.',
      'CometWarning',
    )
  }
}
