import type { Target } from '../protocol/target.ts'
import type { ReplayItem } from '../stream/replay.ts'
import type { EventTable } from './event-table.ts'
import type { TargetHistory } from './target-history.ts'

/**
 * An event in the history, for a reader. It is made when somebody reads, and does not stop the eviction of its event:
 * after that `frame` is undefined and `evt` is empty.
 */
export class HistoryEntry implements ReplayItem {
  readonly ordinal: number
  readonly #history: TargetHistory
  readonly #table: EventTable
  readonly #slot: number

  constructor(table: EventTable, slot: number) {
    this.ordinal = table.ordinalOf(slot)
    this.#history = table.historyOf(slot)
    this.#table = table
    this.#slot = slot
  }

  get target(): Target {
    return this.#history.target
  }

  get ownBytes(): number {
    return 0
  }

  get isEvicted(): boolean {
    return this.#table.ordinalOf(this.#slot) !== this.ordinal
  }

  /** The encoded block. Undefined once the event is evicted. */
  get frame(): Buffer | undefined {
    return this.isEvicted ? undefined : this.#table.frameOf(this.#slot)
  }

  /** The text, with LF for line ends. */
  get evt(): string {
    return this.isEvicted ? '' : this.#table.evtOf(this.#slot)
  }

  get position(): string {
    return this.isEvicted ? '' : this.#table.positionOf(this.#slot)
  }
}
