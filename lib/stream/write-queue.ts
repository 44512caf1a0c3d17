import type { Transport } from '../ports/transport.ts'
import type { WriteBatch } from '../ports/write-batch.ts'

/**
 * The batches that wait while a transport is busy with an earlier write. All sessions share a batch, so a slow reader
 * costs little more than a list of references.
 */
export class WriteQueue {
  readonly #waiting: WriteBatch[] = []
  #bytes = 0

  /**
   * The bytes that wait behind the first batch. The first one never counts, however large it is: only what comes on
   * top of it shows that the reader falls behind.
   */
  get excess(): number {
    const [next] = this.#waiting
    return next === undefined ? 0 : this.#bytes - next.length
  }

  add(batch: WriteBatch): void {
    this.#waiting.push(batch)
    this.#bytes += batch.length
  }

  /**
   * Writes what waits, until the transport is busy again. Called when the transport has sent what it had.
   *
   * @returns true when the queue is empty and the transport takes more
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
