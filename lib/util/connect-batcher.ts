/** How many go on together at most. */
const MOST = 32

/** How long the first of them is kept waiting at most, in milliseconds. */
const LONGEST_MS = 5

/** After how many turns of the event loop that brought nobody it goes on: one may just have accepted a connection. */
const IDLE_TURNS = 2

/**
 * Has clients that come in quick succession go on together, such as all of them after a restart. Node accepts one
 * connection a turn of the event loop, between system calls that leave little in the processor's caches: what is done
 * for thirty of them in a row takes half the time.
 */
export class ConnectBatcher {
  #together: Promise<void> | undefined
  #size = 0
  #idleTurns = 0

  /** @returns settles when nobody else comes, or it has lasted long enough; for all in the order in which they joined */
  join(): Promise<void> {
    this.#size += 1
    this.#idleTurns = 0
    this.#together ??= new Promise((resolve) => this.#wait(resolve, performance.now() + LONGEST_MS))
    return this.#together
  }

  #wait(goOn: () => void, deadline: number): void {
    setImmediate(() => {
      this.#idleTurns += 1
      if (this.#idleTurns <= IDLE_TURNS && this.#size < MOST && performance.now() < deadline) {
        this.#wait(goOn, deadline)
        return
      }
      this.#together = undefined
      this.#size = 0
      goOn()
    })
  }
}
