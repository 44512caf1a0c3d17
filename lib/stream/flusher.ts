import { Pending } from './pending-frames.ts'

/** Something that has bytes to write at the end of a turn: a Session. */
interface Flushable {
  flush(): void
}

/** How long it may write in one turn, in milliseconds, before others get theirs. */
const SLICE_MS = 8

/** After how many writes it looks at the clock. */
const STRIDE = 64

/**
 * Writes what is pending, one write a session and turn of the event loop: on `setImmediate`, so that what is
 * published by awaiting one `publish` after the other still goes out together.
 *
 * When there is much to write it is done in slices, with I/O in between. What is published meanwhile comes on top of
 * what a session still has pending.
 */
export class Flusher {
  /** The tree in which the sessions stand that were added since the latest slice. */
  #root = Pending.empty()
  /** The sessions that are being flushed, up to `#next` of them done. */
  #flushing: Flushable[] = []
  #next = 0
  /** Those that come after them. */
  #added: Flushable[] = []
  #isScheduled = false

  /**
   * Has a session flushed at the end of this turn, or of a later one when there is much to write.
   *
   * @returns where it stands in the tree: nothing pending yet
   */
  add(session: Flushable): Pending {
    this.#added.push(session)
    this.#schedule()
    return this.#root
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(this.#flush)
  }

  readonly #flush = (): void => {
    this.#isScheduled = false
    this.#root = Pending.empty()
    if (this.#next === this.#flushing.length) {
      this.#flushing = this.#added
      this.#next = 0
      this.#added = []
    }
    const end = performance.now() + SLICE_MS
    const sessions = this.#flushing
    while (this.#next < sessions.length) {
      const stop = Math.min(this.#next + STRIDE, sessions.length)
      while (this.#next < stop) {
        const session = sessions[this.#next] as Flushable
        this.#next += 1
        session.flush()
      }
      if (performance.now() > end) break
    }
    if (this.#next < sessions.length || this.#added.length > 0) {
      this.#schedule()
      return
    }
    this.#flushing = []
    this.#next = 0
  }
}
