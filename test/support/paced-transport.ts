import type { WriteBatch } from '../../lib/index.ts'
import { MemoryTransport } from './memory-transport.ts'

/** A client that reads only when told to: every write is one too many until {@link read}. */
export class PacedTransport extends MemoryTransport {
  override write(batch: WriteBatch): boolean {
    super.write(batch)
    return false
  }

  /** Takes in what was written. */
  read(): void {
    this.listener?.onDrain()
  }

  /** Reads on until nothing more comes. */
  async readAll(): Promise<void> {
    for (let events = -1; events !== this.events.length; ) {
      events = this.events.length
      await new Promise(setImmediate)
      this.read()
      this.read()
    }
  }
}
