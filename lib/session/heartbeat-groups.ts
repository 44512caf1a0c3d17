/** The number of groups that take turns. */
const GROUPS = 4

/** The number of beats before other work gets its turn of the event loop. */
const STRIDE = 64

/** The pause after each stride while there are events, in milliseconds. */
const PAUSE_MS = 5

/**
 * Calls `beat` for many items at one interval, in four large groups. A process that wakes up for a few writes at a time
 * finds the processor's caches cold: in 150 portions a heartbeat took 23 µs instead of 14 (docs/performance.md).
 *
 * But thousands of heartbeats in a row take this process and those that read them for so long that events are late. So
 * while there are events, a group goes on in small strides, with pauses in between. An event waits for a stride at most.
 */
export class HeartbeatGroups<T> {
  readonly #beat: (item: T) => void
  readonly #hasEvents: () => boolean
  /** Milliseconds between two groups. */
  readonly #pace: number
  readonly #groups = Array.from({ length: GROUPS }, () => new Set<T>())
  #added = 0
  #turn = 0
  #timer: NodeJS.Timeout | undefined

  /**
   * @param interval milliseconds between two beats of one item
   * @param hasEvents whether there was an event since the last call
   */
  constructor(interval: number, beat: (item: T) => void, hasEvents: () => boolean) {
    this.#beat = beat
    this.#hasEvents = hasEvents
    this.#pace = interval / GROUPS
  }

  /** Adds an item, whose first beat comes within one interval. Items in a row go to different groups. */
  add(item: T): void {
    this.#group(this.#added).add(item)
    this.#added += 1
    this.#timer ??= setInterval(() => this.#tick(), this.#pace).unref()
  }

  /** Idempotent. The timer stops with the last item. */
  delete(item: T): void {
    for (const group of this.#groups) group.delete(item)
    if (this.#groups.some(({ size }) => size > 0)) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #tick(): void {
    this.#turn += 1
    this.#beatSome(this.#group(this.#turn).values())
  }

  #beatSome(items: Iterator<T>): void {
    for (let count = 0; count < STRIDE; count += 1) {
      const { done, value } = items.next()
      if (done) return
      this.#beat(value)
    }
    if (this.#hasEvents()) setTimeout(() => this.#beatSome(items), PAUSE_MS).unref()
    else setImmediate(() => this.#beatSome(items))
  }

  #group(number: number): Set<T> {
    return this.#groups[number % GROUPS] as Set<T>
  }
}
