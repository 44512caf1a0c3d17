/** The number of slots in a chunk: a power of two. */
const CHUNK = 1_024
const SHIFT = Math.log2(CHUNK)

/** The values of a chunk by index. */
interface Values<T> {
  [index: number]: T
}

/** A value for each of many slots, which are numbers from 0 on. It is kept in chunks, so it grows without being copied. */
export class Column<T> {
  readonly #chunks: Values<T>[] = []
  readonly #makeChunk: (size: number) => Values<T>

  private constructor(makeChunk: (size: number) => Values<T>) {
    this.#makeChunk = makeChunk
  }

  /** Whole numbers of 32 bits. */
  static ofIntegers(): Column<number> {
    return new Column<number>((size) => new Int32Array(size))
  }

  static ofNumbers(): Column<number> {
    return new Column<number>((size) => new Float64Array(size))
  }

  static ofObjects<T extends object>(): Column<T | undefined> {
    return new Column<T | undefined>((size) => new Array<T | undefined>(size).fill(undefined))
  }

  /** @param slot one that was set since the column was made or cleared, or a neighbour of one */
  get(slot: number): T {
    return (this.#chunks[slot >>> SHIFT] as Values<T>)[slot & (CHUNK - 1)] as T
  }

  /** @param slot one that was set before, or the next one */
  set(slot: number, value: T): void {
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
