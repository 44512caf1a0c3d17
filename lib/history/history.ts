import type { Delivery } from '../ports/broker.ts'
import type { Target } from '../protocol/target.ts'
import { targetIn, targetKey } from '../protocol/target.ts'
import { HistoryCursor, type Skips } from './cursor.ts'
import { costOfEntry, HistoryEntry, LowWaterMark, type TargetHistory } from './history-entry.ts'

/** The bounds of a {@link History}. */
export interface HistoryBounds {
  /** Events per target. 0 stores none. */
  readonly count: number
  /** Bytes in all, with the memory that entries and targets take besides their strings. */
  readonly bytes: number
  /** Milliseconds. */
  readonly age: number
}

/** Compares two positions, as for sort; undefined when they are not of one order (the broker began a new one). */
export type ComparePositions = (a: string, b: string) => number | undefined

/** The events that a client missed. */
export interface Missed {
  /** In the order of their delivery. */
  readonly events: HistoryCursor
  /** The targets that lost at least one event since. */
  readonly gaps: readonly Target[]
}

/** The memory that a target takes besides its strings, in bytes; measured with `test/support/history-heap.ts`. */
const TARGET_BYTES = 300

/**
 * The recent events of each target, from which a client that reconnects gets what it missed. It outlives empty rooms
 * and offline users.
 *
 * Each target is judged by itself: a busy world does not make a user's own events incomplete. Every method except
 * {@link since}, {@link last} and {@link recent} takes a constant number of steps (amortized).
 */
export class History {
  readonly #bounds: HistoryBounds
  readonly #compare: ComparePositions
  readonly #targets = new Map<string, TargetHistory>()
  /** The ends of the list of all entries by age. */
  #oldest: HistoryEntry | undefined
  #newest: HistoryEntry | undefined
  /** Of all targets that have no entry: the newest event that any of them lost. */
  readonly #lowWaterMark: LowWaterMark
  #bytes = 0
  #count = 0
  /** Runs while something is stored, so that old entries go even when nothing new comes. */
  #expiry: NodeJS.Timeout | undefined

  /** @param start the position from which this node hears events */
  constructor(bounds: HistoryBounds, compare: ComparePositions, start: string) {
    this.#bounds = bounds
    this.#compare = compare
    this.#lowWaterMark = new LowWaterMark({ position: start, ordinal: 0 })
  }

  get size(): { readonly events: number; readonly targets: number; readonly bytes: number } {
    return { events: this.#count, targets: this.#targets.size, bytes: this.#bytes }
  }

  /**
   * Stores an event.
   *
   * @param ordinal higher than that of every event before
   * @returns undefined when the bounds leave no room for it; its target is incomplete from here on
   */
  append(delivery: Delivery, frame: Buffer, ordinal: number): HistoryEntry | undefined {
    const key = targetKey(delivery)
    if (this.#bounds.count < 1 || costOfEntry(delivery, frame) + costOfTarget(key) > this.#bounds.bytes) {
      const mark = this.#targets.get(key)?.lowWaterMark ?? this.#lowWaterMark
      mark.raise({ position: delivery.position, ordinal })
      return undefined
    }
    const history = this.#historyOf(key, delivery)
    const entry = new HistoryEntry(delivery, frame, history, ordinal, this.#newest)
    if (this.#newest === undefined) this.#oldest = entry
    else this.#newest.newer = entry
    this.#newest = entry
    history.entries.push(entry)
    this.#count += 1
    this.#bytes += entry.cost
    if (history.entries.length - history.head > this.#bounds.count) this.#evictOldest(history)
    this.expire()
    while (this.#oldest !== undefined && this.#bytes > this.#bounds.bytes) {
      this.#evictOldest(this.#oldest.history)
    }
    this.#expiry ??= this.#expireIn(this.#bounds.age)
    return entry
  }

  /** Evicts the entries that are older than the bound. */
  expire(): void {
    const limit = performance.now() - this.#bounds.age
    while (this.#oldest !== undefined && this.#oldest.time <= limit) this.#evictOldest(this.#oldest.history)
  }

  /** Stops the timer. */
  close(): void {
    clearTimeout(this.#expiry)
  }

  /** Finds what the targets were sent after a position, and which of them are incomplete. */
  since(position: string, targets: Iterable<Target>, skips: Skips = skipsNone): Missed {
    this.expire()
    const events = new HistoryCursor(this.#targets, skips)
    const gaps: Target[] = []
    for (const target of targets) {
      const history = this.#targets.get(targetKey(target))
      const order = this.#compare((history?.lowWaterMark ?? this.#lowWaterMark).position, position)
      if (order === undefined || order > 0) gaps.push(target)
      if (order !== undefined && history !== undefined) {
        events.add(history, this.#firstAfter(history, position), history.entries.length)
      }
    }
    return { events, gaps }
  }

  /**
   * Finds the last events of each of some targets.
   *
   * @param limit the most events of each
   * @param upTo the position of the last event that counts. Default: all count
   */
  last(targets: Iterable<Target>, limit: number, skips: Skips = skipsNone, upTo?: string): HistoryCursor {
    this.expire()
    const events = new HistoryCursor(this.#targets, skips)
    for (const target of targets) {
      const history = this.#targets.get(targetKey(target))
      if (history === undefined) continue
      const end = upTo === undefined ? history.entries.length : this.#firstAfter(history, upTo)
      events.add(history, Math.max(history.head, end - limit), end)
    }
    return events
  }

  /** Finds the last events of a target, at most `limit`, oldest first. */
  recent(target: Target, limit: number): readonly HistoryEntry[] {
    this.expire()
    const history = this.#targets.get(targetKey(target))
    if (history === undefined || limit <= 0) return []
    const { entries, head } = history
    return entries.slice(Math.max(head, entries.length - limit)) as HistoryEntry[]
  }

  #expireIn(milliseconds: number): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.expire()
      const oldest = this.#oldest
      this.#expiry = oldest && this.#expireIn(oldest.time + this.#bounds.age - performance.now())
    }, milliseconds)
    return timer.unref()
  }

  #historyOf(key: string, delivery: Delivery): TargetHistory {
    let history = this.#targets.get(key)
    if (history === undefined) {
      const lowWaterMark = new LowWaterMark(this.#lowWaterMark)
      history = { key, target: targetIn(delivery), entries: [], head: 0, lowWaterMark }
      this.#targets.set(key, history)
      this.#bytes += costOfTarget(key)
    }
    return history
  }

  /** Evicts a target's oldest entry, and the target with its last one. */
  #evictOldest(history: TargetHistory): void {
    const entry = history.entries[history.head] as HistoryEntry
    history.entries[history.head] = undefined
    history.head += 1
    history.lowWaterMark.raise(entry)
    if (entry.older === undefined) this.#oldest = entry.newer
    else entry.older.newer = entry.newer
    if (entry.newer === undefined) this.#newest = entry.older
    else entry.newer.older = entry.older
    entry.evict()
    this.#count -= 1
    this.#bytes -= entry.cost
    if (history.head === history.entries.length) {
      this.#targets.delete(history.key)
      this.#bytes -= costOfTarget(history.key)
      this.#lowWaterMark.raise(history.lowWaterMark)
    } else if (history.head * 2 > history.entries.length) {
      // Half of the array is empty. Moving the rest costs no more than the evictions since the last move did.
      history.entries = history.entries.slice(history.head)
      history.head = 0
    }
  }

  /** Finds the index of the first entry after a position, by binary search. */
  #firstAfter({ entries, head }: TargetHistory, position: string): number {
    let [low, high] = [head, entries.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#compare((entries[middle] as HistoryEntry).position, position) ?? 1) > 0) high = middle
      else low = middle + 1
    }
    return low
  }
}

function skipsNone(): boolean {
  return false
}

/** Computes the bytes that a target adds to the total: its key, its id and the collections. */
function costOfTarget(key: string): number {
  return 4 * key.length + TARGET_BYTES
}
