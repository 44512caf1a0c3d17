/** The most connects in one batch. */
const MOST = 32

/** The longest time that the first connect of a batch waits, in milliseconds. */
const LONGEST_MS = 5

/**
 * The number of turns of the event loop without a connect that end a batch: one may just have accepted a connection.
 */
const IDLE_TURNS = 2

/**
 * Batches connects. After a restart all clients reconnect at once, and Node.js accepts one per turn of the event loop,
 * between system calls that leave the processor's caches cold. Resuming up to 32 in one turn halves the CPU per
 * connect. A lone connect waits two idle turns, and any connect at most 5 ms.
 */
export class ConnectBatcher {
  #batch: Promise<void> | undefined
  #size = 0
  #idleTurns = 0

  /** Joins the current batch. @returns settles when the batch is complete, for its members in the order they joined */
  join(): Promise<void> {
    this.#size += 1
    this.#idleTurns = 0
    this.#batch ??= new Promise((resolve) => this.#wait(resolve, performance.now() + LONGEST_MS))
    return this.#batch
  }

  #wait(complete: () => void, deadline: number): void {
    setImmediate(() => {
      this.#idleTurns += 1
      if (this.#idleTurns <= IDLE_TURNS && this.#size < MOST && performance.now() < deadline) {
        this.#wait(complete, deadline)
        return
      }
      this.#batch = undefined
      this.#size = 0
      complete()
    })
  }
}
