import { PendingFrames } from './pending-frames.ts'

/** Something that writes its pending bytes at the end of a turn: a Session. */
interface Flushable {
  flush(): void
}

/** The longest time for writing in one turn, in milliseconds, before I/O gets its turn. */
const SLICE_MS = 8

/** The most sessions that are flushed at the end of a callback. */
const FEW = 128

/** The number of writes between two looks at the clock. */
const STRIDE = 64

/**
 * Flushes sessions on `setImmediate`: a session gets what was published in a turn of the event loop in one write. Events
 * that are published by awaiting one `publish` after the other still go out together.
 *
 * When few sessions have something pending after the first callback since then, they are flushed at the end of that
 * callback. Their events need not wait for the other callbacks of the turn, or for the garbage collector, which V8 often
 * runs before `setImmediate` (docs/performance.md). What other callbacks publish is joined as always, so that at most
 * every second write to a session is such an early one.
 *
 * Many sessions are flushed in slices, with I/O in between. An event that is published between two slices joins what a
 * session still has pending.
 */
export class Flusher {
  /** The tree for sessions that are added from the latest slice on. */
  #root = PendingFrames.empty()
  /** The sessions of the current round. Those before `#next` are done. */
  #flushing: Flushable[] = []
  #next = 0
  /** The sessions of the next round. */
  #added: Flushable[] = []
  #isScheduled = false

  /**
   * Schedules a session, whose pending frames must be empty, for the end of this turn, or of a later turn when there
   * is much to write.
   *
   * @returns the root of the tree that the session stands in now
   */
  add(session: Flushable): PendingFrames {
    this.#added.push(session)
    this.#schedule()
    return this.#root
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(this.#flush)
    // After the microtasks that run now, and so after what the app does when a promise of `publish` settles.
    queueMicrotask(this.#flushFewNext)
  }

  readonly #flushFewNext = (): void => process.nextTick(this.#flushFew)

  readonly #flushFew = (): void => {
    const isIdle = this.#next === this.#flushing.length
    if (isIdle && this.#added.length <= FEW) this.#flushSlice()
  }

  readonly #flush = (): void => {
    this.#isScheduled = false
    this.#flushSlice()
  }

  #flushSlice(): void {
    this.#root = PendingFrames.empty()
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
