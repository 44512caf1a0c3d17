import type { Transport } from '../ports/transport.ts'
import type { Batch } from '../ports/write-batch.ts'

/**
 * What waits while a transport holds back: batches that all sessions share, so that a slow reader costs little more
 * than a list of references.
 */
export class Outbox {
  readonly #waiting: Batch[] = []
  #bytes = 0

  /**
   * How many bytes wait behind the write that is on its way and the batch after it. A single batch, however
   * large, is never too much: only what comes on top shows that the reader falls behind.
   */
  get excess(): number {
    const [next] = this.#waiting
    return next === undefined ? 0 : this.#bytes - next.length
  }

  add(batch: Batch): void {
    this.#waiting.push(batch)
    this.#bytes += batch.length
  }

  /**
   * Writes what waits, once the transport has sent what it had.
   *
   * @returns true when nothing waits any more, and the transport takes more
   */
  drain(transport: Transport): boolean {
    let takesMore = true
    let sent = 0
    for (const batch of this.#waiting) {
      if (!takesMore) break
      takesMore = transport.write(batch)
      this.#bytes -= batch.length
      sent += 1
    }
    this.#waiting.splice(0, sent)
    return takesMore
  }
}
