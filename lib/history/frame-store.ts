import { Column } from '../util/column.ts'
import { unpooled } from '../util/pooled.ts'

/** The size of a slab, in bytes. */
const SLAB_BYTES = 65_536

/** The largest frame that is copied into a slab, in bytes. A larger one has a Buffer of its own. */
const LARGEST_COPY = 4_096

/**
 * A Buffer with many frames, one behind the other. What is written stays as it is for good: a frame that was handed out
 * may still be on its way to a client when its event is evicted.
 */
class Slab {
  readonly buffer: Buffer
  used = 0
  /** The bytes of the frames that are still stored. */
  stored = 0
  /** The slots whose frames were written here. Some may be free or elsewhere by now. */
  slots: number[] = []

  constructor(buffer: Buffer) {
    this.buffer = buffer
  }

  /** Whether more than half of its bytes are of no use. */
  get isSparse(): boolean {
    return this.stored * 2 < this.used
  }
}

/**
 * The frames of events by slot. They are outside of V8's heap, copied one behind the other: as objects each of them
 * would survive the garbage collector's first rounds, which costs it more than anything else does.
 *
 * It takes at most twice the bytes of its frames: what is left of a slab is written anew once more than half of it was
 * deleted. So each method takes a constant number of steps (amortized).
 */
export class FrameStore {
  readonly #slabs = Column.ofObjects<Slab>()
  readonly #starts = Column.ofIntegers()
  readonly #lengths = Column.ofIntegers()
  #current = new Slab(Buffer.alloc(0))

  /** @param slot free, and below or next to the highest one that was used so far */
  put(slot: number, frame: Buffer): void {
    this.#lengths.set(slot, frame.length)
    if (frame.length > LARGEST_COPY) {
      const own = new Slab(unpooled(frame))
      own.used = frame.length
      own.stored = frame.length
      this.#slabs.set(slot, own)
      this.#starts.set(slot, 0)
      return
    }
    if (this.#current.used + frame.length > this.#current.buffer.length) this.#beginSlab()
    const slab = this.#current
    frame.copy(slab.buffer, slab.used)
    this.#slabs.set(slot, slab)
    this.#starts.set(slot, slab.used)
    slab.used += frame.length
    slab.stored += frame.length
    slab.slots.push(slot)
  }

  /** The frame of a slot that is in use. Large frames are the same Buffer each time. */
  get(slot: number): Buffer {
    const { buffer } = this.#slabs.get(slot) as Slab
    const start = this.#starts.get(slot)
    const length = this.lengthOf(slot)
    return buffer.length === length ? buffer : buffer.subarray(start, start + length)
  }

  lengthOf(slot: number): number {
    return this.#lengths.get(slot)
  }

  delete(slot: number): void {
    const slab = this.#slabs.get(slot) as Slab
    this.#slabs.set(slot, undefined)
    slab.stored -= this.lengthOf(slot)
    if (slab !== this.#current && slab.isSparse) this.#empty(slab)
  }

  /** Forgets all slots, so that they take no memory. None is in use. */
  clear(): void {
    this.#slabs.clear()
    this.#starts.clear()
    this.#lengths.clear()
  }

  #beginSlab(): void {
    const full = this.#current
    this.#current = new Slab(Buffer.allocUnsafeSlow(SLAB_BYTES))
    if (full.isSparse) this.#empty(full)
  }

  /** Writes the frames that are left of a slab anew. */
  #empty(slab: Slab): void {
    const { slots } = slab
    slab.slots = []
    for (const slot of slots) if (this.#slabs.get(slot) === slab) this.put(slot, this.get(slot))
  }
}
