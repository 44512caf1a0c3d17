import type { Target } from '../protocol/target.ts'
import { targetKey } from '../protocol/target.ts'
import { wholeTime } from '../util/clock.ts'
import { flat } from '../util/flat.ts'
import { HistoryCursor } from './cursor.ts'
import { costOfEvent, EventTable, REFERENCE_BYTES } from './event-table.ts'
import { Eviction } from './eviction.ts'
import type { Exclusion, Reader } from './exclusion.ts'
import { lengthOf } from './frame-store.ts'
import { HistoryEntry } from './history-entry.ts'
import { LowWaterMark, type Place, TargetHistory, type TargetLimits } from './target-history.ts'

/** The bounds of a {@link History}. */
export interface HistoryBounds {
  /** Bytes in all, with the memory that entries and targets take besides their strings. */
  readonly bytes: number
  /** Milliseconds. No target stores its events longer. */
  readonly age: number
}

/** A target whose history stores an event, and how much of it is stored. */
export interface Window {
  readonly target: Target
  readonly limits: TargetLimits
}

/** What the history is told of an event besides its block. */
export interface Appended {
  /** Higher than that of every event before. */
  readonly ordinal: number
  readonly position: string
  readonly exclusion?: Exclusion | undefined
  /** How long ago it was published, in milliseconds. Default: it is published now. */
  readonly age?: number
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
  /** Of all targets that have no record: see {@link TargetHistory.shortUntil}. */
  #shortUntil = 0
  /** Runs while something is stored, so that old events go even when nothing new comes. */
  #expiry: NodeJS.Timeout | undefined

  /** @param start the position from which this node hears events. Undefined: {@link begin} will tell it */
  constructor(bounds: HistoryBounds, compare: ComparePositions, start: string | undefined) {
    this.#bounds = bounds
    this.#compare = compare
    this.#eviction = new Eviction(bounds.bytes)
    this.#lowWaterMark = new LowWaterMark({ position: start ?? '', ordinal: 0 })
  }

  get size(): { readonly events: number; readonly targets: number; readonly bytes: number } {
    const { bytes, emptied } = this.#eviction
    return { events: this.#events.count, targets: this.#targets.size - emptied, bytes }
  }

  /**
   * Stores an event once, for all of its targets. When there are too many bytes, targets that use most give up their
   * oldest events.
   *
   * @param windows at least one
   * @param frame its block, with the label of the first target, and its position as `id:`; or its text, where nobody
   *   needs the block now
   * @returns its slot, for {@link entry}. Undefined when the bounds leave no room for it; its targets are incomplete from
   *   here on
   */
  append(windows: readonly Window[], frame: Buffer | string, appended: Appended): number | undefined {
    const { ordinal, position, exclusion, age = 0 } = appended
    const histories: TargetHistory[] = []
    for (const { target, limits } of windows) {
      if (limits.events < 1) this.#passOver(target, { position: flat(position), ordinal })
      else histories.push(this.#historyOf(targetKey(target), limits))
    }
    const [first] = histories
    if (first === undefined) return undefined
    const time = wholeTime() - Math.floor(age)
    const length = lengthOf(frame)
    const cost = costOfEvent(length, exclusion)
    let slot: number | undefined
    if (cost + costOfTarget(first.key) <= this.#bounds.bytes) {
      slot = this.#events.add(histories, frame, { ordinal, time, exclusion, length })
      for (const history of histories) {
        history.add(slot)
        this.#eviction.resize(history, history.bytes + (history === first ? cost : REFERENCE_BYTES))
      }
      // Not before all of them have an event: one without may be dropped.
      for (const history of histories) this.#limit(history, wholeTime())
    } else {
      for (const history of histories) this.#lose(history, { position: flat(position), ordinal }, time)
      // Not before all of them are marked: one that is not may be dropped.
      this.#dropEmptied()
    }
    this.#expireUpTo(wholeTime() - this.#bounds.age)
    for (let full = this.#eviction.victim(); full !== undefined; full = this.#eviction.victim()) {
      const shortUntil = this.#events.timeOf(full.oldest) + full.limits.age
      this.#evictOldest(full, { shortUntil })
      this.#eviction.takeTurn(full)
    }
    this.#expiry ??= this.#expireIn(this.#bounds.age)
    // It may have been the largest one itself.
    return slot !== undefined && this.#events.ordinalOf(slot) === ordinal ? slot : undefined
  }

  /** The event in a slot that {@link append} has just returned, for a reader that gets it by one of its targets. */
  entry(slot: number, target: Target): HistoryEntry {
    return new HistoryEntry(this.#events, slot, target)
  }

  /** Deletes the events of a target that nobody will ask for again. */
  forget(target: Target): void {
    const history = this.#targets.get(targetKey(target))
    if (history === undefined) return
    while (!history.isEmpty) this.#takeOldest(history)
    this.#delete(history)
  }

  /**
   * Deletes all events, because what is stored is not complete any more.
   *
   * @param place from where on events are complete
   * @param isLoss whether events were lost that a client may ask for
   */
  begin(place: Place, isLoss: boolean): void {
    for (const history of Array.from(this.#targets.values())) {
      while (!history.isEmpty) this.#takeOldest(history)
      this.#delete(history)
    }
    this.#lowWaterMark.raise(place)
    if (isLoss) this.#shortUntil = wholeTime() + this.#bounds.age
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
  since(position: string, targets: Iterable<Target>, reader?: Reader): Missed {
    this.expire()
    const events = new HistoryCursor(this.#targets, this.#events, reader)
    const gaps: Target[] = []
    for (const target of targets) {
      const history = this.#fresh(target)
      const order = this.#compare((history ?? this.#lowWaterMark).position, position)
      if (order === undefined || order > 0) gaps.push(target)
      if (order !== undefined && history !== undefined) {
        events.add(history, this.#firstAfter(history, position), history.end)
      }
    }
    return { events, gaps }
  }

  /**
   * Finds the last events of each of some targets. Those that pass over the reader do not count.
   *
   * @param limit the most events of each
   * @param upTo the position of the last event that counts
   * @param reader the session that reads
   * @returns also the targets of which one of these events was lost for want of bytes
   */
  last(targets: Iterable<Target>, limit: number, reader: Reader, upTo?: string): Missed {
    this.expire()
    const events = new HistoryCursor(this.#targets, this.#events, reader)
    const gaps: Target[] = []
    for (const target of targets) {
      const history = this.#fresh(target)
      const { head = 0, shortUntil } = history ?? { shortUntil: this.#shortUntil }
      let end = 0
      if (history !== undefined) end = upTo === undefined ? history.end : this.#firstAfter(history, upTo)
      if (end - head < limit && shortUntil > wholeTime()) gaps.push(target)
      if (history !== undefined) events.add(history, this.#startOf(history, end, limit, reader), end)
    }
    return { events, gaps }
  }

  /** Finds the index from which on a reader gets `limit` events up to the index `end`; or the first one. */
  #startOf({ slots, head }: TargetHistory, end: number, limit: number, reader: Reader): number {
    let start = end
    for (let found = 0; found < limit && start > head; start -= 1) {
      if (!this.#events.exclusionOf(slots[start - 1] as number)?.covers(reader)) found += 1
    }
    return start
  }

  /** Finds the last events of a target, at most `limit`, oldest first. */
  recent(target: Target, limit: number): readonly HistoryEntry[] {
    this.expire()
    const history = this.#fresh(target)
    if (history === undefined || limit <= 0) return []
    const { slots, head, end } = history
    return slots.slice(Math.max(head, end - limit), end).map((slot) => this.entry(slot, target))
  }

  /** Finds the record of a target, without the events that are too old for it. */
  #fresh(target: Target): TargetHistory | undefined {
    const key = targetKey(target)
    const history = this.#targets.get(key)
    if (history === undefined || history.limits.age >= this.#bounds.age) return history
    this.#limit(history, wholeTime())
    return this.#targets.get(key)
  }

  /** Evicts the events of a target that are beyond its own limits. */
  #limit(history: TargetHistory, time: number): void {
    const { events, age } = history.limits
    while (history.count > events) this.#evictOldest(history)
    if (age >= this.#bounds.age) return
    while (!history.isEmpty && this.#events.timeOf(history.oldest) <= time - age) this.#evictOldest(history)
  }

  #expireUpTo(limit: number): void {
    const events = this.#events
    for (let slot = events.oldest; slot !== undefined && events.timeOf(slot) <= limit; slot = events.oldest) {
      this.#evictOldest(events.historyOf(slot), { limit })
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

  #historyOf(key: string, limits: TargetLimits): TargetHistory {
    let history = this.#targets.get(key)
    if (history === undefined) {
      history = new TargetHistory(flat(key), limits, this.#lowWaterMark, this.#shortUntil)
      this.#targets.set(history.key, history)
      this.#events.addTarget(history)
      this.#eviction.empty(history, costOfTarget(key))
    }
    history.limits = limits
    return history
  }

  /** Marks a target as incomplete from an event on for which there are not enough bytes. */
  #lose(history: TargetHistory, place: Place, time: number): void {
    history.raise(place)
    history.lostAt = time
    history.shortUntil = time + history.limits.age
  }

  /** Marks a target as incomplete from an event on, of which it may not store any. */
  #passOver(target: Target, place: Place): void {
    const history = this.#targets.get(targetKey(target))
    if (history !== undefined) this.forget(target)
    this.#lowWaterMark.raise(place)
  }

  /**
   * @param limit the time up to which the loss of an event is so long ago that its target is forgotten with it
   * @param shortUntil see {@link TargetHistory.shortUntil}
   */
  #evictOldest(
    history: TargetHistory,
    { limit = Number.NEGATIVE_INFINITY, shortUntil = 0 }: { limit?: number; shortUntil?: number } = {},
  ): void {
    this.#takeOldest(history)
    history.shortUntil = shortUntil
    if (!history.isEmpty) return
    if (history.lostAt <= limit) this.#drop(history)
    this.#dropEmptied()
  }

  /** Takes the oldest event from a target. What is left of its bytes counts for another of its targets, if there is one. */
  #takeOldest(history: TargetHistory): void {
    const events = this.#events
    const slot = history.oldest
    history.raise({ position: events.positionOf(slot), ordinal: events.ordinalOf(slot) })
    history.lostAt = Math.max(history.lostAt, events.timeOf(slot))
    const cost = events.costOf(slot)
    const bytes = history.bytes - (events.historyOf(slot) === history ? cost : REFERENCE_BYTES)
    history.shift()
    const next = events.release(slot, history)
    if (history.isEmpty) this.#eviction.empty(history, bytes)
    else this.#eviction.resize(history, bytes)
    if (next !== undefined) this.#eviction.resize(next, next.bytes + cost - REFERENCE_BYTES)
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
    this.#delete(history)
    this.#lowWaterMark.raise(history)
    this.#shortUntil = Math.max(this.#shortUntil, history.shortUntil)
  }

  #delete(history: TargetHistory): void {
    this.#targets.delete(history.key)
    this.#events.deleteTarget(history)
    this.#eviction.drop(history)
  }

  /** Finds the index of the first event after a position. */
  #firstAfter(history: TargetHistory, position: string): number {
    return history.firstIndex((slot) => (this.#compare(this.#events.positionOf(slot), position) ?? 1) > 0)
  }
}

/** Computes the bytes that a target adds to the total: its key, its id and the collections. */
function costOfTarget(key: string): number {
  return 4 * key.length + TARGET_BYTES
}
