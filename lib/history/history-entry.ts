import type { Delivery } from '../ports/broker.ts'
import type { Target } from '../protocol/target.ts'
import type { ReplayItem } from '../stream/replay.ts'
import { encodeBlock } from '../stream/sse.ts'

/** The events of one target, and how far back they are complete. Changed by the History only. */
export interface TargetHistory {
  readonly key: string
  readonly target: Target
  /** Oldest first, from `head` on. What stands before `head` was evicted. */
  entries: (HistoryEntry | undefined)[]
  head: number
  readonly lowWaterMark: LowWaterMark
}

/** A place in the order of all events that this node was delivered. */
interface Place {
  readonly position: string
  readonly ordinal: number
}

/** The newest event that was evicted, or was never stored. Everything after it is complete. */
export class LowWaterMark implements Place {
  position: string
  ordinal: number

  constructor({ position, ordinal }: Place) {
    this.position = position
    this.ordinal = ordinal
  }

  /** Moves the mark up to an event that is not stored any more. A lower one changes nothing. */
  raise({ position, ordinal }: Place): void {
    if (ordinal <= this.ordinal) return
    this.position = position
    this.ordinal = ordinal
  }
}

/** The memory that an entry takes beside its texts, in bytes; measured with `test/support/history-heap.ts`. */
const ENTRY_BYTES = 400

/**
 * An event in the history. Replays refer to it but do not keep it from eviction: after that `frame` is undefined and
 * `evt` is empty.
 */
export class HistoryEntry implements ReplayItem {
  readonly target: Target
  readonly ordinal: number
  readonly position: string
  readonly except: Delivery['except']
  readonly ownBytes = 0
  readonly history: TargetHistory
  /** When it was stored, on the clock of `performance.now()`. */
  readonly time = performance.now()
  /** What it counts towards the bound of the history, in bytes. */
  readonly cost: number
  /** The neighbours in the list of all entries by age, which lets an entry leave from the middle. */
  older: HistoryEntry | undefined
  newer: HistoryEntry | undefined = undefined
  #evt: string | undefined
  #frame: Buffer | undefined

  constructor(
    delivery: Delivery,
    frame: Buffer,
    history: TargetHistory,
    ordinal: number,
    older: HistoryEntry | undefined,
  ) {
    const { evt, except, position } = delivery
    this.target = history.target
    this.ordinal = ordinal
    this.position = position
    this.#evt = evt
    this.except = except
    this.history = history
    this.older = older
    this.#frame = isPooled(frame) ? undefined : frame
    this.cost = costOfEntry(delivery, frame)
  }

  get isEvicted(): boolean {
    return this.#evt === undefined
  }

  get evt(): string {
    return this.#evt ?? ''
  }

  /** The encoded block, made again where it was not stored. Undefined once the entry is evicted. */
  get frame(): Buffer | undefined {
    if (this.#evt === undefined) return undefined
    this.#frame ??= unpooled(encodeBlock({ id: this.position, data: this.#evt }))
    return this.#frame
  }

  /** Drops the contents. For the History, which takes the entry out of its lists first. */
  evict(): void {
    this.#evt = undefined
    this.#frame = undefined
    // A replay that still refers to this entry must not hold the newer ones through it.
    this.older = undefined
    this.newer = undefined
  }
}

/**
 * Tells whether a Buffer is a slice of Node's shared 8 KiB pool. Storing one keeps the whole pool page in memory. A
 * copy takes longer than publishing the event, so it is made on demand only.
 */
function isPooled(frame: Buffer): boolean {
  return frame.buffer.byteLength > frame.length
}

function unpooled(frame: Buffer): Buffer {
  if (!isPooled(frame)) return frame
  const own = Buffer.allocUnsafeSlow(frame.length)
  frame.copy(own)
  return own
}

/** Computes what a stored event counts towards the bound of the history, in bytes. */
export function costOfEntry({ evt, position }: Delivery, frame: Buffer): number {
  return frame.length + 2 * (evt.length + position.length) + ENTRY_BYTES
}
