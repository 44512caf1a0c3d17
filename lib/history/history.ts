import type { Delivery } from '../ports/broker.ts'
import type { Target } from '../protocol/target.ts'
import { targetKey } from '../protocol/target.ts'
import { flat } from '../util/flat.ts'
import { HistoryCursor, type Skips } from './cursor.ts'
import { costOfEvent, EventTable } from './event-table.ts'
import { Eviction } from './eviction.ts'
import { HistoryEntry } from './history-entry.ts'
import { LowWaterMark, type Place, TargetHistory } from './target-history.ts'

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
  readonly #events = new EventTable()
  /** Of all targets that have no event: the newest event that any of them lost. */
  readonly #lowWaterMark: LowWaterMark
  readonly #eviction: Eviction<TargetHistory>
  /** Runs while something is stored, so that old events go even when nothing new comes. */
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
    return { events: this.#events.count, targets: this.#targets.size - emptied, bytes }
  }

  /**
   * Stores an event. When there are too many bytes, targets that use most give up their oldest events.
   *
   * @param frame its block, with its position as `id:`
   * @param ordinal higher than that of every event before
   * @returns the slot of its {@link entry}. Undefined when the bounds leave no room for it; its target is incomplete from
   *   here on
   */
  append(delivery: Delivery, frame: Buffer, ordinal: number): number | undefined {
    if (this.#bounds.count < 1) {
      this.#lowWaterMark.raise({ position: flat(delivery.position), ordinal })
      return undefined
    }
    const history = this.#historyOf(targetKey(delivery))
    const time = wholeTime()
    const cost = costOfEvent(frame.length, delivery.except)
    let slot: number | undefined
    if (cost + costOfTarget(history.key) <= this.#bounds.bytes) {
      slot = this.#events.add(history, frame, { ordinal, time, except: delivery.except })
      history.add(slot)
      this.#eviction.resize(history, history.bytes + cost)
      if (history.count > this.#bounds.count) this.#evictOldest(history)
    } else {
      this.#lose(history, { position: flat(delivery.position), ordinal }, time)
    }
    this.#expireUpTo(time - this.#bounds.age)
    for (let full = this.#eviction.victim(); full !== undefined; full = this.#eviction.victim()) {
      this.#evictOldest(full)
      this.#eviction.takeTurn(full)
    }
    this.#expiry ??= this.#expireIn(this.#bounds.age)
    // It may have been the largest one itself.
    return slot !== undefined && this.#events.ordinalOf(slot) === ordinal ? slot : undefined
  }

  /** The event in a slot that {@link append} has just returned. */
  entry(slot: number): HistoryEntry {
    return new HistoryEntry(this.#events, slot)
  }

  /** Evicts the events that are older than the bound, and forgets the targets that lost all of theirs by then. */
  expire(): void {
    this.#expireUpTo(wholeTime() - this.#bounds.age)
  }

  /** Stops the timer. */
  close(): void {
    clearTimeout(this.#expiry)
  }

  /** Finds what the targets were sent after a position, and which of them are incomplete. */
  since(position: string, targets: Iterable<Target>, skips: Skips = skipsNone): Missed {
    this.expire()
    const events = new HistoryCursor(this.#targets, this.#events, skips)
    const gaps: Target[] = []
    for (const target of targets) {
      const history = this.#targets.get(targetKey(target))
      const order = this.#compare((history ?? this.#lowWaterMark).position, position)
      if (order === undefined || order > 0) gaps.push(target)
      if (order !== undefined && history !== undefined) {
        events.add(history, this.#firstAfter(history, position), history.end)
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
    const events = new HistoryCursor(this.#targets, this.#events, skips)
    for (const target of targets) {
      const history = this.#targets.get(targetKey(target))
      if (history === undefined) continue
      const end = upTo === undefined ? history.end : this.#firstAfter(history, upTo)
      events.add(history, Math.max(history.head, end - limit), end)
    }
    return events
  }

  /** Finds the last events of a target, at most `limit`, oldest first. */
  recent(target: Target, limit: number): readonly HistoryEntry[] {
    this.expire()
    const history = this.#targets.get(targetKey(target))
    if (history === undefined || limit <= 0) return []
    const { slots, head, end } = history
    return slots.slice(Math.max(head, end - limit), end).map((slot) => this.entry(slot))
  }

  #expireUpTo(limit: number): void {
    const events = this.#events
    for (let slot = events.oldest; slot !== undefined && events.timeOf(slot) <= limit; slot = events.oldest) {
      this.#evictOldest(events.historyOf(slot), limit)
    }
    this.#dropEmptied(limit)
  }

  #expireIn(milliseconds: number): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.expire()
      const first = this.#events.oldest
      const time = first === undefined ? Number.POSITIVE_INFINITY : this.#events.timeOf(first)
      const oldest = Math.min(time, this.#eviction.firstLoss)
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
      this.#events.addTarget(history)
      this.#eviction.empty(history, costOfTarget(key))
    }
    return history
  }

  /** Marks a target as incomplete from an event on that is not stored. */
  #lose(history: TargetHistory, place: Place, time: number): void {
    history.raise(place)
    history.lostAt = time
    this.#dropEmptied()
  }

  /** @param limit the time up to which the loss of an event is so long ago that its target is forgotten with it */
  #evictOldest(history: TargetHistory, limit = Number.NEGATIVE_INFINITY): void {
    const events = this.#events
    const slot = history.oldest
    history.raise({ position: events.positionOf(slot), ordinal: events.ordinalOf(slot) })
    history.lostAt = Math.max(history.lostAt, events.timeOf(slot))
    const bytes = history.bytes - events.costOf(slot)
    history.shift()
    events.delete(slot)
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
    this.#events.deleteTarget(history)
    this.#eviction.drop(history)
    this.#lowWaterMark.raise(history)
  }

  /** Finds the index of the first event after a position. */
  #firstAfter(history: TargetHistory, position: string): number {
    return history.firstIndex((slot) => (this.#compare(this.#events.positionOf(slot), position) ?? 1) > 0)
  }
}

/** The time on the clock of `performance.now()`, in whole milliseconds: V8 keeps other numbers as objects. */
function wholeTime(): number {
  return Math.floor(performance.now())
}

function skipsNone(): boolean {
  return false
}

/** Computes the bytes that a target adds to the total: its key, its id and the collections. */
function costOfTarget(key: string): number {
  return 4 * key.length + TARGET_BYTES
}
