import type { Delivery } from './broker.ts'
import type { Target } from './protocol/event.ts'
import { encodeBlock } from './sse.ts'

/** How much a {@link Backlog} keeps. */
export interface BacklogBounds {
  /** Events of one target. */
  readonly count: number
  /** Bytes in all, with what it takes to keep track of them. */
  readonly bytes: number
  /** Milliseconds. */
  readonly age: number
}

/** Compares two positions, as for sort; undefined when they are not of one order (the broker began anew). */
export type ComparePositions = (a: string, b: string) => number | undefined

/** An event that is kept. */
export interface Kept {
  /** The room it was for, unless for a user or the world. */
  readonly rid: string | undefined
  /** Its place among all that this node was delivered. */
  readonly ordinal: number
  readonly position: string
  readonly frame: Buffer
  readonly evt: string
  readonly except: Delivery['except']
}

/** What a client has missed. */
export interface Missed {
  /** In the order they were published. */
  readonly events: readonly Kept[]
  /** The targets of which something was evicted since. */
  readonly gaps: readonly Target[]
}

class Entry implements Kept {
  readonly rid: string | undefined
  readonly ordinal: number
  readonly position: string
  readonly evt: string
  readonly except: Delivery['except']
  readonly window: Window
  readonly time = performance.now()
  /** In bytes. */
  readonly cost: number
  older: Entry | undefined
  newer: Entry | undefined = undefined
  #frame: Buffer | undefined

  constructor(delivery: Delivery, frame: Buffer, window: Window, ordinal: number, older: Entry | undefined) {
    const { uid, rid, evt, except, position } = delivery
    this.rid = uid === undefined ? rid : undefined
    this.ordinal = ordinal
    this.position = position
    this.evt = evt
    this.except = except
    this.window = window
    this.older = older
    this.#frame = isPooled(frame) ? undefined : frame
    this.cost = frame.length + 2 * (evt.length + position.length + (this.rid?.length ?? 0)) + ENTRY_BYTES
  }

  get frame(): Buffer {
    this.#frame ??= unpooled(encodeBlock({ id: this.position, data: this.evt }))
    return this.#frame
  }
}

/** What one target was sent of late. */
interface Window {
  readonly key: string
  /** Oldest first, from `head` on. */
  entries: (Entry | undefined)[]
  head: number
  /** The position of the latest event that was evicted: what came after it is complete. */
  floor: string
}

/** What it takes to keep an event and a target beside their texts, in bytes, as measured. */
const ENTRY_BYTES = 400
const WINDOW_BYTES = 300

/**
 * What was published of late, by target, so that a client that comes back gets what it missed. It outlives empty
 * rooms and offline users.
 *
 * Whether a target is complete since a position is judged for each by itself: a busy world does not cost a user its
 * own events. All operations but {@link since} and {@link recent} take a constant number of steps, amortised.
 */
export class Backlog {
  readonly #bounds: BacklogBounds
  readonly #compare: ComparePositions
  readonly #windows = new Map<string, Window>()
  /** All entries as a list by age, so that one may leave it from the middle. */
  #oldest: Entry | undefined
  #newest: Entry | undefined
  /** For targets without a window: the latest eviction from any window that is no more. */
  #floor: string
  #bytes = 0
  #count = 0
  #ordinal = 0
  /** Runs while something is kept, so that what is too old goes even when nothing comes after it. */
  #expiry: NodeJS.Timeout | undefined

  /** @param start the position from which on this node hears events */
  constructor(bounds: BacklogBounds, compare: ComparePositions, start: string) {
    this.#bounds = bounds
    this.#compare = compare
    this.#floor = start
  }

  /** The ordinal of the latest event. */
  get ordinal(): number {
    return this.#ordinal
  }

  /** What is kept now. */
  get size(): { readonly events: number; readonly targets: number; readonly bytes: number } {
    return { events: this.#count, targets: this.#windows.size, bytes: this.#bytes }
  }

  append(delivery: Delivery, frame: Buffer): void {
    const window = this.#windowOf(keyOf(delivery.uid, delivery.rid))
    this.#ordinal += 1
    const entry = new Entry(delivery, frame, window, this.#ordinal, this.#newest)
    if (this.#newest === undefined) this.#oldest = entry
    else this.#newest.newer = entry
    this.#newest = entry
    window.entries.push(entry)
    this.#count += 1
    this.#bytes += entry.cost
    if (window.entries.length - window.head > this.#bounds.count) this.#evict(window)
    this.expire()
    while (this.#oldest !== undefined && this.#bytes > this.#bounds.bytes) this.#evict(this.#oldest.window)
    this.#expiry ??= this.#expireIn(this.#bounds.age)
  }

  /** Evicts what is too old. */
  expire(): void {
    const limit = performance.now() - this.#bounds.age
    while (this.#oldest !== undefined && this.#oldest.time <= limit) this.#evict(this.#oldest.window)
  }

  /** Stops the timer. */
  close(): void {
    clearTimeout(this.#expiry)
  }

  /** What the targets were sent after a position. */
  since(position: string, targets: Iterable<Target>): Missed {
    this.expire()
    const entries: Entry[] = []
    const gaps: Target[] = []
    for (const target of targets) {
      const window = this.#windows.get(keyOf(target.uid, target.rid))
      const floor = this.#compare(window?.floor ?? this.#floor, position)
      if (floor === undefined || floor > 0) gaps.push(target)
      if (floor !== undefined && window !== undefined) {
        for (let at = this.#firstAfter(window, position); at < window.entries.length; at += 1) {
          entries.push(window.entries[at] as Entry)
        }
      }
    }
    return { events: entries.sort((a, b) => a.ordinal - b.ordinal), gaps }
  }

  /** The last events of a target, at most `limit`, oldest first. */
  recent(target: Target, limit: number): readonly Kept[] {
    this.expire()
    const window = this.#windows.get(keyOf(target.uid, target.rid))
    if (window === undefined || limit <= 0) return []
    return window.entries.slice(Math.max(window.head, window.entries.length - limit)) as Entry[]
  }

  #expireIn(milliseconds: number): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.expire()
      const oldest = this.#oldest
      this.#expiry = oldest && this.#expireIn(oldest.time + this.#bounds.age - performance.now())
    }, milliseconds)
    return timer.unref()
  }

  #windowOf(key: string): Window {
    let window = this.#windows.get(key)
    if (window === undefined) {
      window = { key, entries: [], head: 0, floor: this.#floor }
      this.#windows.set(key, window)
      this.#bytes += costOf(window)
    }
    return window
  }

  /** Evicts the oldest entry of a window, and the window with its last one. */
  #evict(window: Window): void {
    const entry = window.entries[window.head] as Entry
    window.entries[window.head] = undefined
    window.head += 1
    window.floor = entry.position
    if (entry.older === undefined) this.#oldest = entry.newer
    else entry.older.newer = entry.newer
    if (entry.newer === undefined) this.#newest = entry.older
    else entry.newer.older = entry.older
    // Somebody may still be sent this one, who should not hold on to all that come after it.
    entry.older = undefined
    entry.newer = undefined
    this.#count -= 1
    this.#bytes -= entry.cost
    if (window.head === window.entries.length) {
      this.#windows.delete(window.key)
      this.#bytes -= costOf(window)
      if ((this.#compare(window.floor, this.#floor) ?? 1) > 0) this.#floor = window.floor
    } else if (window.head * 2 > window.entries.length) {
      // Half of it is empty: to move the rest costs no more than the evictions since the last move.
      window.entries = window.entries.slice(window.head)
      window.head = 0
    }
  }

  /** The index of the first entry after a position, by bisection. */
  #firstAfter({ entries, head }: Window, position: string): number {
    let [low, high] = [head, entries.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#compare((entries[middle] as Entry).position, position) ?? 1) > 0) high = middle
      else low = middle + 1
    }
    return low
  }
}

/** As everywhere, uid decides. */
function keyOf(uid: string | undefined, rid: string | undefined): string {
  if (uid !== undefined) return `u${uid}`
  return rid === undefined ? 'w' : `r${rid}`
}

/**
 * Small Buffers are cut from a slab that they share with whatever was made at about the same time: one that is kept
 * would keep all of it. A slab of its own for each takes longer than to publish it, so it is made for those that are
 * asked for.
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

function costOf({ key }: Window): number {
  return 2 * key.length + WINDOW_BYTES
}
