/** How many groups take turns. */
const GROUPS = 4

/** How many beat before others get their turn of the event loop. */
const STRIDE = 256

/**
 * Has many things beat at the same interval. They do so in a few large groups: a process that wakes up for some writes
 * now and then takes more time to get at them than one that does many in a row.
 */
export class Pulse<T> {
  readonly #beat: (item: T) => void
  readonly #pace: number
  readonly #groups = Array.from({ length: GROUPS }, () => new Set<T>())
  #added = 0
  #turn = 0
  #timer: NodeJS.Timeout | undefined

  /** @param interval of one thing, in milliseconds */
  constructor(interval: number, beat: (item: T) => void) {
    this.#beat = beat
    this.#pace = interval / GROUPS
  }

  /** Its first beat comes within an interval. Those who come together are in different groups. */
  add(item: T): void {
    this.#group(this.#added).add(item)
    this.#added += 1
    this.#timer ??= setInterval(() => this.#tick(), this.#pace).unref()
  }

  delete(item: T): void {
    for (const group of this.#groups) group.delete(item)
    if (this.#groups.some(({ size }) => size > 0)) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #tick(): void {
    this.#turn += 1
    this.#goOn(this.#group(this.#turn).values())
  }

  /** Some at a time, so that events need not wait for all of them. */
  #goOn(items: Iterator<T>): void {
    for (let count = 0; count < STRIDE; count += 1) {
      const { done, value } = items.next()
      if (done) return
      this.#beat(value)
    }
    setImmediate(() => this.#goOn(items))
  }

  #group(number: number): Set<T> {
    return this.#groups[number % GROUPS] as Set<T>
  }
}
