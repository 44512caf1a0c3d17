import { LARGE_BYTES } from '../ports/write-batch.ts'

/**
 * Copies of frames that differ from them in a line, such as the label. Those of large frames are shared among all that
 * are being sent them; nothing here keeps them in memory longer.
 */
export class DerivedFrames {
  readonly #copies = new WeakMap<Buffer, Map<string, WeakRef<Buffer>>>()

  /** @param kind tells the copies of one frame apart */
  of(frame: Buffer, kind: string, make: () => Buffer): Buffer {
    if (frame.length < LARGE_BYTES) return make()
    const copies = this.#copies.get(frame) ?? new Map<string, WeakRef<Buffer>>()
    const known = copies.get(kind)?.deref()
    if (known !== undefined) return known
    const copy = make()
    this.#copies.set(frame, copies.set(kind, new WeakRef(copy)))
    return copy
  }
}
