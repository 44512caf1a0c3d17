import { Pending } from './pending.ts'

/** Something that has bytes to write at the end of a turn: a Session. */
interface Flushable {
  flush(): void
}

/**
 * Writes what is pending, one write a session and turn of the event loop: on `setImmediate`, so that what is
 * published by awaiting one `publish` after the other still goes out together.
 */
export class Flusher {
  /** The tree in which the sessions of this turn stand. */
  #root = Pending.empty()
  #sessions: Flushable[] = []

  /**
   * Has a session flushed at the end of this turn.
   *
   * @returns where it stands in the tree: nothing pending yet
   */
  add(session: Flushable): Pending {
    if (this.#sessions.push(session) === 1) setImmediate(this.#flush)
    return this.#root
  }

  readonly #flush = (): void => {
    const sessions = this.#sessions
    this.#sessions = []
    this.#root = Pending.empty()
    for (const session of sessions) session.flush()
  }
}
