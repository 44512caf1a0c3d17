import type { Target } from '../protocol/target.ts'
import { DerivedFrames } from '../stream/derived-frames.ts'
import { idOf, labelOf, relabel } from '../stream/sse.ts'
import { Column } from '../util/column.ts'
import { Numbered } from '../util/numbered.ts'
import type { Exclusion } from './exclusion.ts'
import { FrameStore } from './frame-store.ts'
import type { TargetHistory } from './target-history.ts'

/** No slot: the end of a list. */
const NONE = -1

/** The memory that an event takes besides its frame, in bytes; measured with `test/support/history-heap.ts`. */
const EVENT_BYTES = 150

/** The memory that an event for several targets takes for each of them, in bytes. */
export const REFERENCE_BYTES = 80

/** What is stored of an event besides its frame. */
export interface EventDetails {
  readonly ordinal: number
  /** Of now, in whole milliseconds. */
  readonly time: number
  readonly exclusion: Exclusion | undefined
}

/**
 * The events of a history, each in a slot: a number, which is used again for another event once its event is evicted.
 *
 * A node may have many events, and all of them survive, which costs the garbage collector more than anything else does.
 * So there is no object for an event, but a column for each of its properties.
 */
export class EventTable {
  readonly #ordinals = Column.ofNumbers()
  readonly #times = Column.ofNumbers()
  /** The number of the target that each event's bytes count for: one that has it. */
  readonly #targetNumbers = Column.ofIntegers()
  readonly #targets = new Numbered<TargetHistory>()
  /** The neighbours in the list of all events, by age. It is doubly linked: an event can leave from the middle. */
  readonly #older = Column.ofIntegers()
  readonly #newer = Column.ofIntegers()
  readonly #exclusions = new Map<number, Exclusion>()
  /** The targets of each event that was published to several, as far as they have it still, in the publisher's order. */
  readonly #shared = new Map<number, Set<TargetHistory>>()
  readonly #relabeled = new DerivedFrames()
  readonly #frames = new FrameStore()
  #oldest = NONE
  #newest = NONE
  /** The number of slots that were used so far. */
  #size = 0
  /** The first of those that are free now, of a list by `#newer`. */
  #free = NONE
  #count = 0

  get count(): number {
    return this.#count
  }

  /** The slot of the oldest event. Undefined when there is none. */
  get oldest(): number | undefined {
    return this.#oldest === NONE ? undefined : this.#oldest
  }

  /** Adds a target, which has no event yet. */
  addTarget(history: TargetHistory): void {
    history.number = this.#targets.add(history)
  }

  /** Deletes a target that has no event any more. */
  deleteTarget({ number }: TargetHistory): void {
    this.#targets.delete(number)
  }

  /**
   * Stores an event. The caller adds the slot to the targets.
   *
   * @param histories its targets, which were added. The bytes of the event count for the first one
   * @param frame the event's block, or its text, with the label of the first target, and its position as `id:`
   * @param details also the `length` of the block, in bytes
   * @returns its slot
   */
  add(
    histories: readonly TargetHistory[],
    frame: Buffer | string,
    { ordinal, time, exclusion, length }: EventDetails & { readonly length: number },
  ): number {
    const slot = this.#takeSlot()
    this.#ordinals.set(slot, ordinal)
    this.#times.set(slot, time)
    this.#targetNumbers.set(slot, (histories[0] as TargetHistory).number)
    this.#older.set(slot, this.#newest)
    this.#newer.set(slot, NONE)
    if (this.#newest === NONE) this.#oldest = slot
    else this.#newer.set(this.#newest, slot)
    this.#newest = slot
    if (exclusion !== undefined) this.#exclusions.set(slot, exclusion)
    if (histories.length > 1) this.#shared.set(slot, new Set(histories))
    this.#frames.put(slot, frame, length)
    this.#count += 1
    return slot
  }

  /**
   * Takes an event from one of its targets, and deletes it with the last one. The caller takes the slot from the target.
   *
   * @returns the target that the bytes of the event count for from now on, if that has changed
   */
  release(slot: number, history: TargetHistory): TargetHistory | undefined {
    const sharers = this.#shared.size === 0 ? undefined : this.#shared.get(slot)
    sharers?.delete(history)
    const next = sharers?.values().next().value
    if (next === undefined) this.#delete(slot)
    if (next === undefined || this.historyOf(slot) !== history) return undefined
    this.#targetNumbers.set(slot, next.number)
    return next
  }

  #delete(slot: number): void {
    const older = this.#older.get(slot)
    const newer = this.#newer.get(slot)
    if (older === NONE) this.#oldest = newer
    else this.#newer.set(older, newer)
    if (newer === NONE) this.#newest = older
    else this.#older.set(newer, older)
    this.#frames.delete(slot)
    if (this.#exclusions.size > 0) this.#exclusions.delete(slot)
    if (this.#shared.size > 0) this.#shared.delete(slot)
    this.#ordinals.set(slot, NONE)
    this.#newer.set(slot, this.#free)
    this.#free = slot
    this.#count -= 1
    if (this.#count === 0) this.#clear()
  }

  #takeSlot(): number {
    const slot = this.#free
    if (slot === NONE) {
      this.#size += 1
      return this.#size - 1
    }
    this.#free = this.#newer.get(slot)
    return slot
  }

  /** Forgets all slots, so that they take no memory. */
  #clear(): void {
    this.#size = 0
    this.#free = NONE
    for (const column of [this.#ordinals, this.#times, this.#targetNumbers, this.#older, this.#newer]) {
      column.clear()
    }
    this.#frames.clear()
  }

  /** The ordinal of the event in a slot, which no other event ever has. Negative for a slot that is free. */
  ordinalOf(slot: number): number {
    return slot < this.#size ? this.#ordinals.get(slot) : NONE
  }

  /** When an event was stored, in whole milliseconds. */
  timeOf(slot: number): number {
    return this.#times.get(slot)
  }

  /** The target that the bytes of an event count for. */
  historyOf(slot: number): TargetHistory {
    return this.#targets.get(this.#targetNumbers.get(slot))
  }

  /** The targets that have an event which was published to several, in the publisher's order. Undefined for any other. */
  sharersOf(slot: number): Iterable<TargetHistory> | undefined {
    return this.#shared.size === 0 ? undefined : this.#shared.get(slot)
  }

  exclusionOf(slot: number): Exclusion | undefined {
    return this.#exclusions.size === 0 ? undefined : this.#exclusions.get(slot)
  }

  /** The block of an event, with the label of one of its targets. */
  frameFor(slot: number, target: Target): Buffer {
    const frame = this.frameOf(slot)
    if (this.sharersOf(slot) === undefined) return frame
    const label = labelOf(target)
    return this.#relabeled.of(frame, label, () => relabel(frame, label))
  }

  /** The block of an event, with the label of the target that was its first one. */
  frameOf(slot: number): Buffer {
    return this.#frames.get(slot)
  }

  /** The size of a frame, in bytes. */
  sizeOf(slot: number): number {
    return this.#frames.lengthOf(slot)
  }

  positionOf(slot: number): string {
    return idOf(this.frameOf(slot))
  }

  /** The bytes that an event adds to the total that `historyBytes` limits, for the first of its targets. */
  costOf(slot: number): number {
    return costOfEvent(this.sizeOf(slot), this.exclusionOf(slot))
  }
}

/** Computes the bytes that an event adds to the total that `historyBytes` limits, for the first of its targets. */
export function costOfEvent(frameBytes: number, exclusion: Exclusion | undefined): number {
  return frameBytes + EVENT_BYTES + (exclusion?.bytes ?? 0)
}
