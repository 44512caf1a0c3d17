/** The number of slots in a chunk: a power of two. */
const CHUNK = 1_024
const SHIFT = Math.log2(CHUNK)

/**
 * A number for each of many slots, which are numbers from 0 on. It is kept in chunks outside of V8's heap, so it grows
 * without being copied.
 */
export class Column {
  readonly #chunks: (Int32Array | Float64Array)[] = []
  readonly #makeChunk: (size: number) => Int32Array | Float64Array

  private constructor(makeChunk: (size: number) => Int32Array | Float64Array) {
    this.#makeChunk = makeChunk
  }

  /** Whole numbers of 32 bits. */
  static ofIntegers(): Column {
    return new Column((size) => new Int32Array(size))
  }

  static ofNumbers(): Column {
    return new Column((size) => new Float64Array(size))
  }

  /** @param slot one that was set since the column was made or cleared, or a neighbour of one */
  get(slot: number): number {
    const chunk = this.#chunks[slot >>> SHIFT] as Int32Array
    return chunk[slot & (CHUNK - 1)] as number
  }

  /** @param slot one that was set before, or the next one */
  set(slot: number, value: number): void {
    let chunk = this.#chunks[slot >>> SHIFT]
    if (chunk === undefined) {
      chunk = this.#makeChunk(CHUNK)
      this.#chunks.push(chunk)
    }
    chunk[slot & (CHUNK - 1)] = value
  }

  /** Forgets all values but those of the first slots, so that they take no memory. */
  clear(): void {
    this.#chunks.length = Math.min(1, this.#chunks.length)
  }
}
