import type { Target } from '../protocol/target.ts'
import type { ReplayItem } from '../stream/replay.ts'
import { contentOf } from '../stream/sse.ts'
import type { EventTable } from './event-table.ts'

/** An event as `comet.history` answers it: a named one, or one with the text of its `evt`, whose line ends are LF. */
export type StoredEvent =
  | { readonly position: string; readonly event: string; readonly data: unknown; readonly evt?: never }
  | { readonly position: string; readonly evt: string; readonly event?: never; readonly data?: never }

/**
 * An event in the history, for a reader. It is made when somebody reads, and does not stop the eviction of its event:
 * after that `frame` is undefined and it is empty.
 */
export class HistoryEntry implements ReplayItem {
  readonly ordinal: number
  /** The target by which the reader gets the event. */
  readonly target: Target
  readonly #table: EventTable
  readonly #slot: number

  constructor(table: EventTable, slot: number, target: Target) {
    this.ordinal = table.ordinalOf(slot)
    this.target = target
    this.#table = table
    this.#slot = slot
  }

  get ownBytes(): number {
    return 0
  }

  get isEvicted(): boolean {
    return this.#table.ordinalOf(this.#slot) !== this.ordinal
  }

  /** The encoded block, with the label of the target. Undefined once the event is evicted. */
  get frame(): Buffer | undefined {
    return this.isEvicted ? undefined : this.#table.frameFor(this.#slot, this.target)
  }

  get position(): string {
    return this.isEvicted ? '' : this.#table.positionOf(this.#slot)
  }

  /** Decodes the event. */
  toEvent(): StoredEvent {
    const { position } = this
    const { event, data }: ReturnType<typeof contentOf> = this.isEvicted
      ? { data: '' }
      : contentOf(this.#table.frameOf(this.#slot))
    return event === undefined ? { position, evt: data } : { position, event, data: JSON.parse(data) }
  }
}
