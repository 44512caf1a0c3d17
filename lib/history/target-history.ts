import type { Evictable } from './eviction.ts'

/** The place of an event in the order of all events. */
export interface Place {
  /** The broker's, opaque. Clients send it back. */
  readonly position: string
  /** This node's own count of the events delivered to it, which is quick to compare. */
  readonly ordinal: number
}

/** How much of one target is stored. */
export interface TargetLimits {
  /** The most events. */
  readonly events: number
  /** Milliseconds. */
  readonly age: number
}

/** The newest event that was evicted, or was never stored. No event after it is missing. */
export class LowWaterMark implements Place {
  position: string
  ordinal: number

  constructor({ position, ordinal }: Place) {
    this.position = position
    this.ordinal = ordinal
  }

  /** Moves the mark up to an event that was evicted or never stored. An older event changes nothing. */
  raise({ position, ordinal }: Place): void {
    if (ordinal <= this.ordinal) return
    this.position = position
    this.ordinal = ordinal
  }
}

/**
 * The events of one target, and its own low-water mark. Changed by the History only. A node may have many of these, so
 * they have few fields, and no objects of their own.
 */
export class TargetHistory extends LowWaterMark implements Evictable<TargetHistory> {
  readonly key: string
  limits: TargetLimits
  /** Its number in the EventTable. */
  number = 0
  /** The slots of its events in the EventTable, oldest first, from `head` up to `end`. The rest is room. */
  slots: number[] = NO_SLOTS
  head = 0
  end = 0
  lostAt = 0
  /**
   * Until when its newest event that was lost would have been stored, in milliseconds, if there had been more bytes. 0
   * when it was lost for another reason.
   */
  shortUntil: number
  bytes = 0
  list: Evictable<TargetHistory>['list']
  before: TargetHistory | undefined
  after: TargetHistory | undefined

  /**
   * @param mark what the target may have lost before
   * @param shortUntil of what it may have lost before
   */
  constructor(key: string, limits: TargetLimits, mark: Place, shortUntil: number) {
    super(mark)
    this.key = key
    this.limits = limits
    this.shortUntil = shortUntil
  }

  get isEmpty(): boolean {
    return this.head === this.end
  }

  /** The slot of the oldest event. There must be one. */
  get oldest(): number {
    return this.slots[this.head] as number
  }

  /** The number of events. */
  get count(): number {
    return this.end - this.head
  }

  /**
   * Finds the index of the first event that `isAfter` tells true of, by binary search. It tells true of all that come
   * after that one, too.
   */
  firstIndex(isAfter: (slot: number) => boolean): number {
    let [low, high] = [this.head, this.end]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (isAfter(this.slots[middle] as number)) high = middle
      else low = middle + 1
    }
    return low
  }

  add(slot: number): void {
    if (this.end === this.slots.length) this.#grow()
    this.slots[this.end] = slot
    this.end += 1
  }

  /** Moves the slots to the front where half of the room is there, or doubles it: `push` makes room for 17 at once. */
  #grow(): void {
    const { slots, head, end, count } = this
    if (count * 2 > end || end === 0) this.slots = new Array<number>(Math.max(FIRST_ROOM, 2 * count)).fill(0)
    for (let at = 0; at < count; at += 1) this.slots[at] = slots[head + at] as number
    this.head = 0
    this.end = count
  }

  /** Takes the oldest event out. */
  shift(): void {
    this.head += 1
    if (!this.isEmpty) return
    this.slots = NO_SLOTS
    this.head = 0
    this.end = 0
  }
}

/** The number of events that a target has room for at first. */
const FIRST_ROOM = 4

/** The slots of all targets that have none. */
const NO_SLOTS: number[] = []
