/** The most events whose times are remembered: 8 MiB. */
const MOST = 1_048_576

const LEAST = 1_024

/** The times of the latest events of a stream, by sequence: eight bytes for each, also when there are a million. */
export class StreamTimes {
  #ring = new Float64Array(LEAST)
  /** The sequences from `#first` up to before `#end` are known. */
  #first = 0
  #end = 0

  /** Forgets all, and begins with one. */
  reset(sequence: number, time: number): void {
    this.#ring = new Float64Array(LEAST)
    this.#first = sequence
    this.#end = sequence
    this.add(time)
  }

  /** Adds the time of the next sequence. */
  add(time: number): void {
    if (this.#end - this.#first === this.#ring.length) {
      if (this.#ring.length < MOST) this.#grow()
      else this.#first += 1
    }
    this.#ring[this.#end % this.#ring.length] = time
    this.#end += 1
  }

  /** The time of a sequence. Undefined when it is too long ago, or has not come. */
  get(sequence: number): number | undefined {
    if (sequence < this.#first || sequence >= this.#end) return undefined
    return this.#ring[sequence % this.#ring.length]
  }

  #grow(): void {
    const ring = new Float64Array(2 * this.#ring.length)
    for (let sequence = this.#first; sequence < this.#end; sequence += 1) {
      ring[sequence % ring.length] = this.#ring[sequence % this.#ring.length] as number
    }
    this.#ring = ring
  }
}
