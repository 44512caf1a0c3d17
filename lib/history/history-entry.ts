import type { Delivery } from '../ports/broker.ts'
import { type Target, targetOfKey } from '../protocol/target.ts'
import type { ReplayItem } from '../stream/replay.ts'
import { encodeBlock } from '../stream/sse.ts'
import { flat } from '../util/flat.ts'
import type { Evictable } from './eviction.ts'

/** The place of an event in the order of all events. */
export interface Place {
  /** The broker's, opaque. Clients send it back. */
  readonly position: string
  /** This node's own count of the events delivered to it, which is quick to compare. */
  readonly ordinal: number
}

/** The newest event that was evicted, or was never stored. No event after it is missing. */
export class LowWaterMark implements Place {
  position: string
  ordinal: number

  constructor({ position, ordinal }: Place) {
    this.position = position
    this.ordinal = ordinal
  }

  /** Moves the mark up to an event that was evicted or never stored. An older event changes nothing. */
  raise({ position, ordinal }: Place): void {
    if (ordinal <= this.ordinal) return
    this.position = position
    this.ordinal = ordinal
  }
}

/**
 * The events of one target, and its own low-water mark. Changed by the History only.
 *
 * A node may have many of these and of the entries, and all of them survive, which costs the garbage collector more than
 * anything else does. So they have few fields, no objects of their own, and whole numbers.
 */
export class TargetHistory extends LowWaterMark implements Evictable<TargetHistory> {
  readonly key: string
  /** Oldest first. Entries before `head` are evicted (undefined). */
  entries: (HistoryEntry | undefined)[] = NO_ENTRIES
  head = 0
  lostAt = 0
  bytes = 0
  list: Evictable<TargetHistory>['list']
  before: TargetHistory | undefined
  after: TargetHistory | undefined

  /** @param mark what the target may have lost before */
  constructor(key: string, mark: Place) {
    super(mark)
    this.key = key
  }

  get target(): Target {
    return targetOfKey(this.key)
  }

  get isEmpty(): boolean {
    return this.head === this.entries.length
  }

  add(entry: HistoryEntry): void {
    // The first entry of an array that is empty would take the room of 17.
    if (this.isEmpty) this.entries = [entry]
    else this.entries.push(entry)
  }

  /** Takes the oldest entry out, and moves the mark up to it. */
  shift(): HistoryEntry {
    const entry = this.entries[this.head] as HistoryEntry
    this.entries[this.head] = undefined
    this.head += 1
    this.raise(entry)
    this.lostAt = Math.max(this.lostAt, entry.time)
    if (this.isEmpty) {
      this.entries = NO_ENTRIES
      this.head = 0
    } else if (this.head * 2 > this.entries.length) {
      // Half of the array is empty. Moving the rest costs no more than the evictions since the last move did. A new array
      // would grow again with the next entry.
      const { entries, head } = this
      for (let at = head; at < entries.length; at += 1) entries[at - head] = entries[at]
      entries.length -= head
      this.head = 0
    }
    return entry
  }
}

/** The entries of all targets that have none. */
const NO_ENTRIES: HistoryEntry[] = []

/** The time on the clock of `performance.now()`, in whole milliseconds: V8 keeps other numbers as objects. */
export function wholeTime(): number {
  return Math.floor(performance.now())
}

/** The memory that an entry takes besides its strings, in bytes; measured with `test/support/history-heap.ts`. */
const ENTRY_BYTES = 300

/** The memory that `except` takes besides its id, in bytes. */
const EXCEPT_BYTES = 150

/**
 * An event in the history. A replay may refer to an entry, which does not stop its eviction: after that `frame` is
 * undefined and `evt` is empty.
 */
export class HistoryEntry implements ReplayItem {
  readonly ordinal: number
  readonly position: string
  readonly except: Delivery['except']
  readonly history: TargetHistory
  /** When it was stored: {@link wholeTime}. */
  readonly time = wholeTime()
  /** The size of the encoded block, in bytes. */
  readonly bytes: number
  /** The neighbours in the list of all entries, by age. It is doubly linked: an entry can leave from the middle. */
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
    this.ordinal = ordinal
    // The history accounts for the text that it is given, not for a document that the text was cut out of.
    this.position = flat(position)
    this.#evt = flat(evt)
    this.except = except && flatIds(except)
    this.history = history
    this.older = older
    this.#frame = isPooled(frame) ? undefined : frame
    this.bytes = frame.length
  }

  get target(): Target {
    return this.history.target
  }

  get ownBytes(): number {
    return 0
  }

  /** The bytes that it adds to the total that `historyBytes` limits, until it is evicted. */
  get cost(): number {
    return costOfEntry(this, this.bytes)
  }

  get isEvicted(): boolean {
    return this.#evt === undefined
  }

  get evt(): string {
    return this.#evt ?? ''
  }

  /** The encoded block. Encoded again if the constructor did not keep it. Undefined once the entry is evicted. */
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
 * Tells whether a Buffer is a slice of Node.js's shared 8 KiB pool, which would keep the whole pool page in memory.
 * Such a frame is neither kept nor copied (a copy takes longer than publishing the event). It is encoded again when a
 * replay needs it.
 */
function isPooled(frame: Buffer): boolean {
  return frame.buffer.byteLength > frame.length
}

/** Copies a Buffer that {@link isPooled}, for what keeps it longer than a turn. */
export function unpooled(frame: Buffer): Buffer {
  if (!isPooled(frame)) return frame
  const own = Buffer.allocUnsafeSlow(frame.length)
  frame.copy(own)
  return own
}

function flatIds(except: NonNullable<Delivery['except']>): NonNullable<Delivery['except']> {
  return 'sid' in except ? { sid: flat(except.sid) } : { uid: flat(except.uid) }
}

/** Computes the bytes that an event adds to the total that `historyBytes` limits. */
export function costOfEntry(
  { evt, position, except }: Pick<Delivery, 'evt' | 'position' | 'except'>,
  frameBytes: number,
): number {
  return frameBytes + 2 * (evt.length + position.length) + ENTRY_BYTES + (except ? costOfIds(except) : 0)
}

function costOfIds(except: NonNullable<Delivery['except']>): number {
  return 2 * ('sid' in except ? except.sid : except.uid).length + EXCEPT_BYTES
}
