import type { Delivery } from '../ports/broker.ts'
import { dataOf, idOf } from '../stream/sse.ts'
import { Column } from '../util/column.ts'
import { flat } from '../util/flat.ts'
import { Numbered } from '../util/numbered.ts'
import { FrameStore } from './frame-store.ts'
import type { TargetHistory } from './target-history.ts'

type Except = NonNullable<Delivery['except']>

/** No slot: the end of a list. */
const NONE = -1

/** The memory that an event takes besides its frame, in bytes; measured with `test/support/history-heap.ts`. */
const EVENT_BYTES = 150

/** The memory that `except` takes besides its id, in bytes. */
const EXCEPT_BYTES = 150

/**
 * The events of a history, each in a slot: a number, which is used again for another event once its event is evicted.
 *
 * A node may have many events, and all of them survive, which costs the garbage collector more than anything else does.
 * So there is no object for an event, but a column for each of its properties.
 */
export class EventTable {
  readonly #ordinals = Column.ofNumbers()
  readonly #times = Column.ofNumbers()
  /** The number of each event's target. */
  readonly #targetNumbers = Column.ofIntegers()
  readonly #targets = new Numbered<TargetHistory>()
  /** The neighbours in the list of all events, by age. It is doubly linked: an event can leave from the middle. */
  readonly #older = Column.ofIntegers()
  readonly #newer = Column.ofIntegers()
  readonly #excepts = new Map<number, Except>()
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
   * @param history one that was added
   * @param frame the event's block: its data and its position as `id:`
   * @param time of now, in whole milliseconds
   * @returns its slot
   */
  add(
    history: TargetHistory,
    frame: Buffer,
    { ordinal, time, except }: { ordinal: number; time: number; except: Except | undefined },
  ): number {
    const slot = this.#takeSlot()
    this.#ordinals.set(slot, ordinal)
    this.#times.set(slot, time)
    this.#targetNumbers.set(slot, history.number)
    this.#older.set(slot, this.#newest)
    this.#newer.set(slot, NONE)
    if (this.#newest === NONE) this.#oldest = slot
    else this.#newer.set(this.#newest, slot)
    this.#newest = slot
    if (except !== undefined) this.#excepts.set(slot, flatIds(except))
    this.#frames.put(slot, frame)
    this.#count += 1
    return slot
  }

  delete(slot: number): void {
    const older = this.#older.get(slot)
    const newer = this.#newer.get(slot)
    if (older === NONE) this.#oldest = newer
    else this.#newer.set(older, newer)
    if (newer === NONE) this.#newest = older
    else this.#older.set(newer, older)
    this.#frames.delete(slot)
    if (this.#excepts.size > 0) this.#excepts.delete(slot)
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

  historyOf(slot: number): TargetHistory {
    return this.#targets.get(this.#targetNumbers.get(slot))
  }

  exceptOf(slot: number): Except | undefined {
    return this.#excepts.size === 0 ? undefined : this.#excepts.get(slot)
  }

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

  evtOf(slot: number): string {
    return dataOf(this.frameOf(slot))
  }

  /** The bytes that an event adds to the total that `historyBytes` limits. */
  costOf(slot: number): number {
    return costOfEvent(this.sizeOf(slot), this.exceptOf(slot))
  }
}

/** Computes the bytes that an event adds to the total that `historyBytes` limits. */
export function costOfEvent(frameBytes: number, except: Except | undefined): number {
  return frameBytes + EVENT_BYTES + (except === undefined ? 0 : EXCEPT_BYTES + 2 * idIn(except).length)
}

function idIn(except: Except): string {
  return 'sid' in except ? except.sid : except.uid
}

function flatIds(except: Except): Except {
  return 'sid' in except ? { sid: flat(except.sid) } : { uid: flat(except.uid) }
}
