import type { Delivery } from '../ports/broker.ts'
import type { Target } from '../protocol/target.ts'
import { targetKey } from '../protocol/target.ts'
import { flat } from '../util/flat.ts'
import { HistoryCursor, type Skips } from './cursor.ts'
import { Eviction } from './eviction.ts'
import {
  costOfEntry,
  HistoryEntry,
  LowWaterMark,
  type Place,
  TargetHistory,
  wholeTime,
} from './history-entry.ts'

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
const TARGET_BYTES = 220

/**
 * The recent events of each target, from which a client that reconnects gets what it missed. It outlives empty rooms
 * and offline users.
 *
 * Each target is judged by itself: a busy world does not make a user's own events incomplete, and does not evict them
 * ({@link Eviction}). Every method except {@link since}, {@link last} and {@link recent} takes a constant number of steps
 * (amortized).
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
  readonly #eviction: Eviction<TargetHistory>
  #count = 0
  /** Runs while something is stored, so that old entries go even when nothing new comes. */
  #expiry: NodeJS.Timeout | undefined

  /** @param start the position from which this node hears events */
  constructor(bounds: HistoryBounds, compare: ComparePositions, start: string) {
    this.#bounds = bounds
    this.#compare = compare
    this.#eviction = new Eviction(bounds.bytes)
    this.#lowWaterMark = new LowWaterMark({ position: start, ordinal: 0 })
  }

  get size(): { readonly events: number; readonly targets: number; readonly bytes: number } {
    const { bytes, emptied } = this.#eviction
    return { events: this.#count, targets: this.#targets.size - emptied, bytes }
  }

  /**
   * Stores an event. When there are too many bytes, targets that use most give up their oldest events.
   *
   * @param ordinal higher than that of every event before
   * @returns undefined when the bounds leave no room for it; its target is incomplete from here on
   */
  append(delivery: Delivery, frame: Buffer, ordinal: number): HistoryEntry | undefined {
    if (this.#bounds.count < 1) {
      this.#lowWaterMark.raise({ position: flat(delivery.position), ordinal })
      return undefined
    }
    const history = this.#historyOf(targetKey(delivery))
    const entry = this.#fits(history, delivery, frame)
      ? this.#add(new HistoryEntry(delivery, frame, history, ordinal, this.#newest))
      : this.#lose(history, { position: flat(delivery.position), ordinal })
    this.expire()
    for (let full = this.#eviction.victim(); full !== undefined; full = this.#eviction.victim()) {
      this.#evictOldest(full)
      this.#eviction.takeTurn(full)
    }
    this.#expiry ??= this.#expireIn(this.#bounds.age)
    // It may have been the largest one itself.
    return entry?.isEvicted ? undefined : entry
  }

  /** Evicts the entries that are older than the bound, and forgets the targets that lost all of theirs by then. */
  expire(): void {
    const limit = wholeTime() - this.#bounds.age
    while (this.#oldest !== undefined && this.#oldest.time <= limit) {
      this.#evictOldest(this.#oldest.history, limit)
    }
    this.#dropEmptied(limit)
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
      const order = this.#compare((history ?? this.#lowWaterMark).position, position)
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
      const oldest = Math.min(this.#oldest?.time ?? Number.POSITIVE_INFINITY, this.#eviction.firstLoss)
      this.#expiry =
        oldest === Number.POSITIVE_INFINITY
          ? undefined
          : this.#expireIn(oldest + this.#bounds.age - wholeTime())
    }, milliseconds)
    return timer.unref()
  }

  #historyOf(key: string): TargetHistory {
    let history = this.#targets.get(key)
    if (history === undefined) {
      history = new TargetHistory(flat(key), this.#lowWaterMark)
      this.#targets.set(history.key, history)
      this.#eviction.empty(history, costOfTarget(key))
    }
    return history
  }

  #fits({ key }: TargetHistory, delivery: Delivery, frame: Buffer): boolean {
    return costOfEntry(delivery, frame.length) + costOfTarget(key) <= this.#bounds.bytes
  }

  #add(entry: HistoryEntry): HistoryEntry {
    const { history } = entry
    if (this.#newest === undefined) this.#oldest = entry
    else this.#newest.newer = entry
    this.#newest = entry
    history.add(entry)
    this.#count += 1
    this.#eviction.resize(history, history.bytes + entry.cost)
    if (history.entries.length - history.head > this.#bounds.count) this.#evictOldest(history)
    return entry
  }

  /** Marks a target as incomplete from an event on that is not stored. */
  #lose(history: TargetHistory, place: Place): undefined {
    history.raise(place)
    history.lostAt = wholeTime()
    this.#dropEmptied()
  }

  /** @param limit the time up to which the loss of an event is so long ago that its target is forgotten with it */
  #evictOldest(history: TargetHistory, limit = Number.NEGATIVE_INFINITY): void {
    const entry = history.shift()
    const bytes = history.bytes - entry.cost
    if (entry.older === undefined) this.#oldest = entry.newer
    else entry.older.newer = entry.newer
    if (entry.newer === undefined) this.#newest = entry.older
    else entry.newer.older = entry.older
    entry.evict()
    this.#count -= 1
    if (!history.isEmpty) {
      this.#eviction.resize(history, bytes)
      return
    }
    this.#eviction.empty(history, bytes)
    if (history.lostAt <= limit) this.#drop(history)
    this.#dropEmptied()
  }

  /** Drops the records of targets without an event that are too old, or too many. */
  #dropEmptied(limit = Number.NEGATIVE_INFINITY): void {
    for (;;) {
      const history = this.#eviction.firstEmptied(limit)
      if (history === undefined) return
      this.#drop(history)
    }
  }

  #drop(history: TargetHistory): void {
    this.#targets.delete(history.key)
    this.#eviction.drop(history)
    this.#lowWaterMark.raise(history)
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
