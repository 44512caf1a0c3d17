import type { Delivery } from '../ports/broker.ts'
import type { Target } from '../protocol/event.ts'
import { targetIn, targetKey } from '../protocol/target.ts'
import { costOfEntry, Entry, type Kept } from './history-entry.ts'

/** How much a {@link Backlog} keeps. */
export interface BacklogBounds {
  /** Events of one target. */
  readonly count: number
  /** Bytes in all, with what it takes to keep track of them. */
  readonly bytes: number
  /** Milliseconds. */
  readonly age: number
}

/** Compares two positions, as for sort; undefined when they are not of one order (the broker began anew). */
export type ComparePositions = (a: string, b: string) => number | undefined

/** What a client has missed. */
export interface Missed {
  /** In the order they were delivered. */
  readonly events: readonly Kept[]
  /** The targets of which something was evicted since. */
  readonly gaps: readonly Target[]
}

/** What one target was sent of late. */
interface Window {
  readonly key: string
  readonly target: Target
  /** Oldest first, from `head` on. */
  entries: (Entry<Window> | undefined)[]
  head: number
  readonly floor: Floor
}

/** Where an event stands in the order of all that were delivered. */
interface Place {
  readonly position: string
  readonly ordinal: number
}

/** Where the latest event stands that is not kept: what came after it is complete. */
class Floor implements Place {
  position: string
  ordinal: number

  constructor({ position, ordinal }: Place) {
    this.position = position
    this.ordinal = ordinal
  }

  /** The event at a place is not kept. */
  raise({ position, ordinal }: Place): void {
    if (ordinal <= this.ordinal) return
    this.position = position
    this.ordinal = ordinal
  }
}

/** What it takes to keep a target beside its texts, in bytes, as measured. */
const WINDOW_BYTES = 300

/**
 * What was published of late, by target, so that a client that comes back gets what it missed. It outlives empty
 * rooms and offline users.
 *
 * Whether a target is complete since a position is judged for each by itself: a busy world does not cost a user its
 * own events. All operations but {@link since} and {@link recent} take a constant number of steps, amortised.
 */
export class Backlog {
  readonly #bounds: BacklogBounds
  readonly #compare: ComparePositions
  readonly #windows = new Map<string, Window>()
  /** All entries as a list by age, so that one may leave it from the middle. */
  #oldest: Entry<Window> | undefined
  #newest: Entry<Window> | undefined
  /** For targets without a window: the latest event that is not kept, of any that have none. */
  readonly #floor: Floor
  #bytes = 0
  #count = 0
  /** Runs while something is kept, so that what is too old goes even when nothing comes after it. */
  #expiry: NodeJS.Timeout | undefined

  /** @param start the position from which on this node hears events */
  constructor(bounds: BacklogBounds, compare: ComparePositions, start: string) {
    this.#bounds = bounds
    this.#compare = compare
    this.#floor = new Floor({ position: start, ordinal: 0 })
  }

  /** What is kept now. */
  get size(): { readonly events: number; readonly targets: number; readonly bytes: number } {
    return { events: this.#count, targets: this.#windows.size, bytes: this.#bytes }
  }

  /**
   * Keeps an event, which has the highest ordinal so far.
   *
   * @returns undefined when it is not kept, because none are or it is larger than all may be
   */
  append(delivery: Delivery, frame: Buffer, ordinal: number): Kept | undefined {
    const key = targetKey(delivery)
    if (this.#bounds.count < 1 || costOfEntry(delivery, frame) + costOfWindow(key) > this.#bounds.bytes) {
      const floor = this.#windows.get(key)?.floor ?? this.#floor
      floor.raise({ position: delivery.position, ordinal })
      return undefined
    }
    const window = this.#windowOf(key, delivery)
    const entry = new Entry(delivery, frame, window, ordinal, this.#newest)
    if (this.#newest === undefined) this.#oldest = entry
    else this.#newest.newer = entry
    this.#newest = entry
    window.entries.push(entry)
    this.#count += 1
    this.#bytes += entry.cost
    if (window.entries.length - window.head > this.#bounds.count) this.#evict(window)
    this.expire()
    while (this.#oldest !== undefined && this.#bytes > this.#bounds.bytes) this.#evict(this.#oldest.window)
    this.#expiry ??= this.#expireIn(this.#bounds.age)
    return entry
  }

  /** Evicts what is too old. */
  expire(): void {
    const limit = performance.now() - this.#bounds.age
    while (this.#oldest !== undefined && this.#oldest.time <= limit) this.#evict(this.#oldest.window)
  }

  /** Stops the timer. */
  close(): void {
    clearTimeout(this.#expiry)
  }

  /** What the targets were sent after a position. */
  since(position: string, targets: Iterable<Target>): Missed {
    this.expire()
    const entries: Entry<Window>[] = []
    const gaps: Target[] = []
    for (const target of targets) {
      const window = this.#windows.get(targetKey(target))
      const floor = this.#compare((window?.floor ?? this.#floor).position, position)
      if (floor === undefined || floor > 0) gaps.push(target)
      if (floor !== undefined && window !== undefined) {
        for (let at = this.#firstAfter(window, position); at < window.entries.length; at += 1) {
          entries.push(window.entries[at] as Entry<Window>)
        }
      }
    }
    return { events: entries.sort((a, b) => a.ordinal - b.ordinal), gaps }
  }

  /** The last events of a target, at most `limit`, oldest first. */
  recent(target: Target, limit: number): readonly Kept[] {
    this.expire()
    const window = this.#windows.get(targetKey(target))
    if (window === undefined || limit <= 0) return []
    return window.entries.slice(Math.max(window.head, window.entries.length - limit)) as Entry<Window>[]
  }

  #expireIn(milliseconds: number): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.expire()
      const oldest = this.#oldest
      this.#expiry = oldest && this.#expireIn(oldest.time + this.#bounds.age - performance.now())
    }, milliseconds)
    return timer.unref()
  }

  #windowOf(key: string, delivery: Delivery): Window {
    let window = this.#windows.get(key)
    if (window === undefined) {
      window = { key, target: targetIn(delivery), entries: [], head: 0, floor: new Floor(this.#floor) }
      this.#windows.set(key, window)
      this.#bytes += costOfWindow(key)
    }
    return window
  }

  /** Evicts the oldest entry of a window, and the window with its last one. */
  #evict(window: Window): void {
    const entry = window.entries[window.head] as Entry<Window>
    window.entries[window.head] = undefined
    window.head += 1
    window.floor.raise(entry)
    if (entry.older === undefined) this.#oldest = entry.newer
    else entry.older.newer = entry.newer
    if (entry.newer === undefined) this.#newest = entry.older
    else entry.newer.older = entry.older
    entry.evict()
    this.#count -= 1
    this.#bytes -= entry.cost
    if (window.head === window.entries.length) {
      this.#windows.delete(window.key)
      this.#bytes -= costOfWindow(window.key)
      this.#floor.raise(window.floor)
    } else if (window.head * 2 > window.entries.length) {
      // Half of it is empty: to move the rest costs no more than the evictions since the last move.
      window.entries = window.entries.slice(window.head)
      window.head = 0
    }
  }

  /** The index of the first entry after a position, by bisection. */
  #firstAfter({ entries, head }: Window, position: string): number {
    let [low, high] = [head, entries.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#compare((entries[middle] as Entry<Window>).position, position) ?? 1) > 0) high = middle
      else low = middle + 1
    }
    return low
  }
}

/** Its key, and its target. */
function costOfWindow(key: string): number {
  return 4 * key.length + WINDOW_BYTES
}
