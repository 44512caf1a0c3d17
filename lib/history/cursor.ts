import { type Target, targetKey, targetOfKey } from '../protocol/target.ts'
import type { ReplayItem, ReplaySource } from '../stream/replay.ts'
import type { EventTable } from './event-table.ts'
import type { Reader } from './exclusion.ts'
import { HistoryEntry } from './history-entry.ts'
import type { TargetHistory } from './target-history.ts'

/** The events of one target that are still to be read. */
interface Head {
  readonly key: string
  /** The ordinal of the next event. */
  ordinal: number
  /** The ordinal of the last event. */
  readonly last: number
}

/**
 * Reads events of several targets, merged in the order of their delivery, each event once. Nothing is collected: each
 * step finds the next event in the history by its ordinal, so a cursor takes little memory and holds no event.
 *
 * An event that was evicted before its turn is read once for its target as an item without a frame: a gap.
 */
export class HistoryCursor implements ReplaySource {
  readonly #histories: ReadonlyMap<string, TargetHistory>
  readonly #events: EventTable
  readonly #reader: Reader | undefined
  /** The keys of all targets that were added. */
  readonly #keys = new Set<string>()
  /** A binary heap: the target whose event comes next is the first. Each head stands on an event that is not skipped. */
  #heads: Head[] = []
  /** The gaps at the place of the event that was taken last: targets that lost this event and later ones. */
  #gaps: ReplayItem[] = []

  /**
   * @param histories the records of all targets, by key
   * @param reader the session that reads: events that pass over it are skipped. Undefined: none is
   */
  constructor(histories: ReadonlyMap<string, TargetHistory>, events: EventTable, reader: Reader | undefined) {
    this.#histories = histories
    this.#events = events
    this.#reader = reader
  }

  get next(): number | undefined {
    return this.#gaps[0]?.ordinal ?? this.#heads[0]?.ordinal
  }

  /**
   * The bytes of the blocks that are still to be read; an event of several targets counts for each of them. Takes a step
   * for each event.
   */
  get bytes(): number {
    let bytes = 0
    for (const { key, ordinal, last } of this.#heads) {
      const history = this.#histories.get(key)
      if (history === undefined) continue
      const { slots, end } = history
      for (let at = this.#firstFrom(history, ordinal); at < end; at += 1) {
        const slot = slots[at] as number
        if (this.#events.ordinalOf(slot) > last) break
        if (!this.#isSkipped(slot)) bytes += this.#events.sizeOf(slot)
      }
    }
    return bytes
  }

  /** Adds the events of a target from one index up to another one. Called before the first `take`. */
  add(history: TargetHistory, from: number, to: number): void {
    const { key, slots } = history
    if (from >= to) return
    this.#keys.add(key)
    const head = { key, ordinal: 0, last: this.#events.ordinalOf(slots[to - 1] as number) }
    if (!this.#moveTo(head, history, from)) return
    this.#heads.push(head)
    this.#rise()
  }

  take(): ReplayItem | undefined {
    const gap = this.#gaps.shift()
    if (gap !== undefined) return gap
    const { next } = this
    let event: ReplayItem | undefined
    // All targets of the same event. Where one has lost it, another may have it still.
    while (next !== undefined && this.#heads[0]?.ordinal === next) {
      const item = this.#takeFirst()
      if (item instanceof HistoryEntry) event ??= item
      else if (item !== undefined) this.#gaps.push(item)
    }
    if (event === undefined) return this.#gaps.shift()
    if (this.#gaps.length > 0) this.#gaps = this.#gaps.filter((lost) => this.#hasLostMore(lost))
    return event
  }

  /** Tells whether a target has lost events behind a gap. The event at its place was taken from another target. */
  #hasLostMore({ ordinal, target }: ReplayItem): boolean {
    const mark = this.#histories.get(targetKey(target))
    return mark === undefined || mark.ordinal > ordinal
  }

  #takeFirst(): ReplayItem | undefined {
    const [head] = this.#heads
    if (head === undefined) return undefined
    const { key, ordinal } = head
    const history = this.#histories.get(key)
    const at = history === undefined ? 0 : this.#firstFrom(history, ordinal)
    const slot = history !== undefined && at < history.end ? history.slots[at] : undefined
    const isThere = slot !== undefined && this.#events.ordinalOf(slot) === ordinal
    if (!this.#moveTo(head, history, isThere ? at + 1 : at)) this.#removeFirst()
    this.#sink()
    if (isThere) return new HistoryEntry(this.#events, slot, this.#targetOf(slot, key))
    return { ordinal, target: targetOfKey(key), frame: undefined, ownBytes: 0 }
  }

  /** Finds the target by which the reader gets an event, as a live session does: the first one that it reads. */
  #targetOf(slot: number, key: string): Target {
    for (const history of this.#events.sharersOf(slot) ?? []) {
      if (this.#keys.has(history.key)) return targetOfKey(history.key)
    }
    return targetOfKey(key)
  }

  /** Leaves out what is still to be read of a target. */
  drop(target: Target): void {
    const key = targetKey(target)
    this.#keys.delete(key)
    // A sorted array is a heap.
    this.#heads = this.#heads.filter((head) => head.key !== key).sort((a, b) => a.ordinal - b.ordinal)
    this.#gaps = this.#gaps.filter((gap) => targetKey(gap.target) !== key)
  }

  #isSkipped(slot: number): boolean {
    return this.#reader !== undefined && this.#events.exclusionOf(slot)?.covers(this.#reader) === true
  }

  /** Moves a head to the first event from an index on that is not skipped. @returns false when there is none */
  #moveTo(head: Head, history: TargetHistory | undefined, index: number): boolean {
    if (history === undefined) return false
    const { slots, end } = history
    for (let at = index; at < end; at += 1) {
      const slot = slots[at] as number
      const ordinal = this.#events.ordinalOf(slot)
      if (ordinal > head.last) return false
      if (this.#isSkipped(slot)) continue
      head.ordinal = ordinal
      return true
    }
    return false
  }

  /** Finds the index of the first event from an ordinal on. */
  #firstFrom(history: TargetHistory, ordinal: number): number {
    return history.firstIndex((slot) => this.#events.ordinalOf(slot) >= ordinal)
  }

  #removeFirst(): void {
    const last = this.#heads.pop()
    if (last !== undefined && this.#heads.length > 0) this.#heads[0] = last
  }

  /** Restores the heap after a head was added at its end. */
  #rise(): void {
    const heads = this.#heads
    for (let at = heads.length - 1; at > 0; ) {
      const above = (at - 1) >>> 1
      if (ordinalAt(heads, above) <= ordinalAt(heads, at)) return
      swap(heads, at, above)
      at = above
    }
  }

  /** Restores the heap after its first head has changed. */
  #sink(): void {
    const heads = this.#heads
    for (let at = 0; ; ) {
      const [left, right] = [2 * at + 1, 2 * at + 2]
      let least = at
      if (left < heads.length && ordinalAt(heads, left) < ordinalAt(heads, least)) least = left
      if (right < heads.length && ordinalAt(heads, right) < ordinalAt(heads, least)) least = right
      if (least === at) return
      swap(heads, at, least)
      at = least
    }
  }
}

function ordinalAt(heads: readonly Head[], index: number): number {
  return (heads[index] as Head).ordinal
}

function swap(heads: Head[], one: number, other: number): void {
  const head = heads[one] as Head
  heads[one] = heads[other] as Head
  heads[other] = head
}
