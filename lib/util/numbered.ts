/**
 * Items by a small whole number, which is used again for another item once its own is deleted. For what is referred to
 * so often that numbers in a {@link Column} are better than references, which V8's garbage collector follows.
 */
export class Numbered<T extends object> {
  #items: (T | undefined)[] = []
  /** Those of `#items` that are free. */
  #free: number[] = []

  /** @returns the number of the item, from 0 on */
  add(item: T): number {
    const number = this.#free.pop() ?? this.#items.length
    this.#items[number] = item
    return number
  }

  /** The item of a number that is in use. */
  get(number: number): T {
    return this.#items[number] as T
  }

  delete(number: number): void {
    this.#items[number] = undefined
    this.#free.push(number)
    if (this.#free.length < this.#items.length) return
    // Arrays keep their memory, so new ones are made when nothing is left.
    this.#items = []
    this.#free = []
  }
}
