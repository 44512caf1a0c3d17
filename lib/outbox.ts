import type { Transport } from './transport.ts'

/**
 * What goes to a transport, at the pace at which it can be sent. What has to wait is kept as the Buffers that all
 * sessions share, so that a slow reader costs little more than a list of references.
 */
export class Outbox {
  readonly #transport: Transport
  readonly #waiting: Buffer[] = []
  #waitingBytes = 0
  #blocked = false

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** True while something that was written has not been sent. */
  get blocked(): boolean {
    return this.#blocked
  }

  /**
   * How many bytes wait behind the write that is on its way and the batch after it. A single batch, however
   * large, is never too much: only what comes on top shows that the reader falls behind.
   */
  get excess(): number {
    const [next] = this.#waiting
    return next === undefined ? 0 : this.#waitingBytes - next.length
  }

  write(bytes: Buffer): void {
    if (!this.#blocked) {
      this.#blocked = !this.#transport.write(bytes)
      return
    }
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
  }

  /** The transport has sent what it had. */
  drained(): void {
    this.#blocked = false
    let sent = 0
    for (const bytes of this.#waiting) {
      if (this.#blocked) break
      this.#blocked = !this.#transport.write(bytes)
      this.#waitingBytes -= bytes.length
      sent += 1
    }
    this.#waiting.splice(0, sent)
  }

  /** Gives up what waits. */
  clear(): void {
    this.#waiting.length = 0
    this.#waitingBytes = 0
  }
}
