/**
 * The seed of all random choices of a run: the environment's COMET_TEST_SEED, otherwise another one each time. Child
 * processes inherit it.
 */
export const SEED = Number(process.env.COMET_TEST_SEED || Math.floor(Math.random() * 2 ** 31))
process.env.COMET_TEST_SEED = String(SEED)

/** Random numbers that are the same again with the same seed (mulberry32). */
export class Random {
  #state: number

  constructor(seed = SEED) {
    this.#state = seed
  }

  /** A number from 0 up to, but not including, 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from `least` to `most`. */
  int(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1))
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.int(0, items.length - 1)] as Item
  }
}
