import type { Transport } from '../ports/transport.ts'
import type { WriteBatch } from '../ports/write-batch.ts'

/** The most batches that may wait: the objects of a small batch take about 400 bytes. */
const MOST_WAITING = 4_096

/**
 * The batches that wait while a transport is busy with an earlier write. They are joined when their turn comes, and
 * frames are shared by all sessions, so a slow reader costs little more than a list of references.
 */
export class WriteQueue {
  /** What is left of the batch whose write is on its way, last part first. What was written is not held any longer. */
  #rest: WriteBatch[]
  readonly #waiting: WriteBatch[] = []
  #bytes = 0

  /** @param rest the parts that are left of the batch whose write is on its way */
  constructor(rest: readonly WriteBatch[] = []) {
    this.#rest = rest.toReversed()
  }

  /**
   * The bytes that wait behind the write on its way and the first batch after it. These two never count, however large
   * they are: only what comes on top of them shows that the reader falls behind.
   */
  get excess(): number {
    const [next] = this.#waiting
    return next === undefined ? 0 : this.#bytes - next.length
  }

  /** Tells whether the reader is too far behind. @param maxBytes the limit for the {@link excess} */
  exceeds(maxBytes: number): boolean {
    return this.excess > maxBytes || this.#waiting.length > MOST_WAITING
  }

  add(batch: WriteBatch): void {
    batch.compact()
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
    let begun = 0
    while (takesMore) {
      let part = this.#rest.pop()
      if (part === undefined) {
        const batch = this.#waiting[begun]
        if (batch === undefined) break
        begun += 1
        this.#bytes -= batch.length
        this.#rest = batch.parts.toReversed()
        part = this.#rest.pop() as WriteBatch
      }
      takesMore = transport.write(part)
    }
    this.#waiting.splice(0, begun)
    return takesMore
  }
}
