/** The number of size classes: no target has 2^31 bytes, the largest `historyBytes`. */
const CLASSES = 32

/**
 * The part of all bytes that a size class may have before its targets must give some up. 20 classes that have less
 * leave two thirds to the others.
 */
const SPARED_PART = 1 / 64

/** The part of all bytes that the records of targets without an event may take. */
const EMPTIED_PART = 1 / 16

/** A target, as far as its eviction is concerned. Only {@link Eviction} changes it, except for `lostAt`. */
export interface Evictable<T extends Evictable<T>> {
  /** The bytes that it and its events take. */
  bytes: number
  /** When its newest event that was evicted, or was not stored, came, in milliseconds. 0 until it loses one. */
  readonly lostAt: number
  /** The list that it is in, and its neighbours there. */
  list: TargetList<T> | undefined
  before: T | undefined
  after: T | undefined
}

/** Targets in the order they were added. It is doubly linked: a target can leave from the middle. */
class TargetList<T extends Evictable<T>> {
  first: T | undefined
  #last: T | undefined
  size = 0
  /** The bytes of all its targets. */
  bytes = 0

  add(target: T): void {
    target.list = this
    target.before = this.#last
    target.after = undefined
    if (this.#last === undefined) this.first = target
    else this.#last.after = target
    this.#last = target
    this.size += 1
    this.bytes += target.bytes
  }

  delete(target: T): void {
    const { before, after } = target
    if (before === undefined) this.first = after
    else before.after = after
    if (after === undefined) this.#last = before
    else after.before = before
    target.list = undefined
    target.before = undefined
    target.after = undefined
    this.size -= 1
    this.bytes -= target.bytes
  }
}

/**
 * Decides which target gives up an event when the history has too many bytes: one that uses most, within a factor of
 * two. A target that uses less than half of what the largest ones use keeps its events.
 *
 * Targets are in classes by the power of two of the bytes they use, so each method takes a constant number of steps.
 * In a class they take turns, the one that has been in it longest first: of many targets with one event each, the
 * oldest event goes.
 */
export class Eviction<T extends Evictable<T>> {
  readonly #bound: number
  readonly #spared: number
  readonly #mostEmptied: number
  readonly #classes = Array.from({ length: CLASSES }, () => new TargetList<T>())
  /** Targets whose last event was evicted early. Their marks tell that only they lost something, and not all others. */
  readonly #emptied = new TargetList<T>()
  #bytes = 0
  /** No class above it has a target. */
  #top = 0

  /** @param bound the most bytes of all targets */
  constructor(bound: number) {
    this.#bound = bound
    this.#spared = bound * SPARED_PART
    this.#mostEmptied = bound * EMPTIED_PART
  }

  /** The bytes of all targets. */
  get bytes(): number {
    return this.#bytes
  }

  /** The number of targets without an event. */
  get emptied(): number {
    return this.#emptied.size
  }

  /**
   * Finds the next target without an event to drop: they take too many bytes, or it lost its newest event before
   * `limit`. Undefined when there is none.
   */
  firstEmptied(limit: number): T | undefined {
    const { first, bytes } = this.#emptied
    if (first === undefined) return undefined
    return bytes > this.#mostEmptied || first.lostAt <= limit ? first : undefined
  }

  /** When the target that {@link firstEmptied} looks at lost its newest event. Infinite when there is none. */
  get firstLoss(): number {
    return this.#emptied.first?.lostAt ?? Number.POSITIVE_INFINITY
  }

  /** Changes the bytes of a target that has events, new or not. */
  resize(target: T, bytes: number): void {
    const number = 31 - Math.clz32(bytes)
    if (number > this.#top) this.#top = number
    this.#move(target, bytes, this.#classes[number] as TargetList<T>)
  }

  /** Changes the bytes of a target that has no event any more. */
  empty(target: T, bytes: number): void {
    this.#move(target, bytes, this.#emptied)
  }

  /** Forgets a target. */
  drop(target: T): void {
    target.list?.delete(target)
    this.#bytes -= target.bytes
  }

  /** Finds the target that must give up an event. Undefined while the bound holds. */
  victim(): T | undefined {
    if (this.#bytes <= this.#bound) return undefined
    let largest: T | undefined
    for (let number = this.#top; number >= 0; number -= 1) {
      const { first, bytes } = this.#classes[number] as TargetList<T>
      if (first === undefined) continue
      if (largest === undefined) this.#top = number
      // A crowd of targets with an event each must not leave the few larger ones, such as a chat's room, without any.
      if (bytes >= this.#spared) return first
      largest ??= first
    }
    return largest
  }

  /** Lets the others of its class give up an event before this target does again. No effect on one that was dropped. */
  takeTurn(target: T): void {
    const { list } = target
    list?.delete(target)
    list?.add(target)
  }

  #move(target: T, bytes: number, to: TargetList<T>): void {
    const { list, bytes: before } = target
    this.#bytes += bytes - before
    if (list === to) {
      list.bytes += bytes - before
      target.bytes = bytes
      return
    }
    list?.delete(target)
    target.bytes = bytes
    to.add(target)
  }
}
