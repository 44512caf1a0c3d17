import { Column } from '../util/column.ts'
import { Numbered } from '../util/numbered.ts'
import { unpooled } from '../util/pooled.ts'

/** No slab. */
const NONE = -1

/** The size of a slab, in bytes. */
const SLAB_BYTES = 65_536

/** The largest frame that is copied into a slab, in bytes. A larger one has a Buffer of its own. */
const LARGEST_COPY = 4_096

/** The bytes before each frame in a slab: its slot and its length. */
const HEADER_BYTES = 8

/** The length of a frame that may not be encoded yet, in bytes. */
export function lengthOf(frame: Buffer | string): number {
  return typeof frame === 'string' ? Buffer.byteLength(frame) : frame.length
}

/**
 * A Buffer with many frames, one behind the other. What is written stays as it is for good: a frame that was handed out
 * may still be on its way to a client when its event is evicted.
 */
class Slab {
  readonly buffer: Buffer
  used = 0
  /** Where the first frame is that may still be stored. */
  #first = 0
  /** The bytes of the frames that are still stored. */
  stored = 0

  constructor(buffer: Buffer) {
    this.buffer = buffer
  }

  /** Whether at least half of its bytes are of no use. */
  get isSparse(): boolean {
    return this.stored * 2 <= this.used
  }

  hasRoomFor(length: number): boolean {
    return this.used + HEADER_BYTES + length <= this.buffer.length
  }

  /** @returns where the frame starts */
  append(slot: number, frame: Buffer | string, length: number): number {
    const { buffer, used } = this
    const start = used + HEADER_BYTES
    buffer.writeUInt32LE(slot, used)
    buffer.writeUInt32LE(length, used + 4)
    if (typeof frame === 'string') buffer.write(frame, start)
    else frame.copy(buffer, start)
    this.used = start + length
    this.stored += length + HEADER_BYTES
    return start
  }

  /** Leaves the frames that were appended so far out of {@link frames}. None of them is stored. */
  forget(): void {
    this.#first = this.used
  }

  /** The slot and the start of each frame that was appended, whether it is still stored or not. */
  *frames(): Iterable<{ readonly slot: number; readonly start: number }> {
    const { buffer, used } = this
    for (let at = this.#first; at < used; at += HEADER_BYTES + buffer.readUInt32LE(at + 4)) {
      yield { slot: buffer.readUInt32LE(at), start: at + HEADER_BYTES }
    }
  }
}

/**
 * The frames of events by slot. They are outside of V8's heap, copied one behind the other: as objects each of them
 * would survive the garbage collector's first rounds, which costs it more than anything else does.
 *
 * It takes at most twice the bytes of its frames: what is left of a slab is written anew once half of it was
 * deleted. So each method takes a constant number of steps (amortized).
 */
export class FrameStore {
  readonly #slabs = new Numbered<Slab>()
  /** The number of each frame's slab. {@link NONE} for a slot that is free. */
  readonly #slabNumbers = Column.ofIntegers()
  readonly #starts = Column.ofIntegers()
  readonly #lengths = Column.ofIntegers()
  /** The number of the slab that is written, which is there even when it has no frame. */
  #current = this.#slabs.add(new Slab(Buffer.alloc(0)))

  /**
   * @param slot free, and below or next to the highest one that was used so far
   * @param frame a text is written to where it stays, without a Buffer of its own
   * @param length in bytes
   */
  put(slot: number, frame: Buffer | string, length = lengthOf(frame)): void {
    this.#lengths.set(slot, length)
    if (length > LARGEST_COPY) {
      const own = typeof frame === 'string' ? Buffer.from(frame) : frame
      this.#slabNumbers.set(slot, this.#slabs.add(new Slab(unpooled(own))))
      this.#starts.set(slot, 0)
      return
    }
    if (!this.#slabs.get(this.#current).hasRoomFor(length)) this.#beginSlab()
    this.#slabNumbers.set(slot, this.#current)
    this.#starts.set(slot, this.#slabs.get(this.#current).append(slot, frame, length))
  }

  /** The frame of a slot that is in use. Large frames are the same Buffer each time. */
  get(slot: number): Buffer {
    const { buffer } = this.#slabs.get(this.#slabNumbers.get(slot))
    const length = this.lengthOf(slot)
    if (length > LARGEST_COPY) return buffer
    const start = this.#starts.get(slot)
    return buffer.subarray(start, start + length)
  }

  lengthOf(slot: number): number {
    return this.#lengths.get(slot)
  }

  delete(slot: number): void {
    const number = this.#slabNumbers.get(slot)
    this.#slabNumbers.set(slot, NONE)
    const length = this.lengthOf(slot)
    if (length > LARGEST_COPY) {
      this.#slabs.delete(number)
      return
    }
    const slab = this.#slabs.get(number)
    slab.stored -= length + HEADER_BYTES
    if (number !== this.#current && slab.isSparse) this.#empty(number)
  }

  /** Forgets all slots, so that they take no memory. None is in use. */
  clear(): void {
    this.#slabs.get(this.#current).forget()
    this.#slabNumbers.clear()
    this.#starts.clear()
    this.#lengths.clear()
  }

  #beginSlab(): void {
    const full = this.#current
    this.#current = this.#slabs.add(new Slab(Buffer.allocUnsafeSlow(SLAB_BYTES)))
    if (this.#slabs.get(full).isSparse) this.#empty(full)
  }

  /** Writes the frames that are left of a slab anew, and forgets the slab. */
  #empty(number: number): void {
    for (const { slot, start } of this.#slabs.get(number).frames()) {
      const isThere = this.#slabNumbers.get(slot) === number && this.#starts.get(slot) === start
      if (isThere) this.put(slot, this.get(slot))
    }
    this.#slabs.delete(number)
  }
}
