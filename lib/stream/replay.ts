import type { Target } from '../protocol/target.ts'
import { targetKey } from '../protocol/target.ts'
import { encodeGap } from './sse.ts'

/** A frame that a session has yet to be sent. */
export interface ReplayItem {
  /**
   * The event's place among all events delivered to this node. 0 for what has no place in that order: control frames,
   * and the past events that a client asked for.
   */
  readonly ordinal: number
  readonly target: Target
  /** Undefined once the history has evicted the event. */
  readonly frame: Buffer | undefined
  /** The bytes that are in memory for this replay alone: 0 for what the history stores. */
  readonly ownBytes: number
}

/** Makes an item of a control frame. */
export function controlItem(frame: Buffer, target: Target = {}): ReplayItem {
  return { ordinal: 0, target, frame, ownBytes: 0 }
}

/** The size of the pieces that a replay is written in, in bytes. */
const PIECE_BYTES = 65_536

/** The most events that may be published during one replay: a reference to each takes memory, too. */
const MOST_ADDED = 16_384

/**
 * The frames that a session gets before it is live: first what it missed, then what was published meanwhile, in order.
 *
 * Items only refer to the history. When an event is evicted before its turn comes, a gap names its target in its place.
 */
export class Replay {
  #items: ReplayItem[] = []
  #next = 0
  /** The highest ordinal among the missed events. Every higher one was published during the replay. */
  #missedUpTo = 0
  /** Counts of the items that were published during the replay and still wait. */
  #added = 0
  #addedBytes = 0

  get isEmpty(): boolean {
    return this.#next === this.#items.length
  }

  /** Tells whether too much was published during the replay. @param maxBytes the limit for bytes of its own */
  exceeds(maxBytes: number): boolean {
    return this.#addedBytes > maxBytes || this.#added > MOST_ADDED
  }

  /** Puts the missed events where they belong among those that were added so far. Called once, before `take`. */
  begin(missed: readonly ReplayItem[]): void {
    if (missed.length > 0) {
      const all = Array.from(new Set([...missed, ...this.#items]))
      this.#items = all.sort((a, b) => a.ordinal - b.ordinal)
    }
    this.#missedUpTo = this.#items.at(-1)?.ordinal ?? 0
    this.#added = 0
    this.#addedBytes = 0
  }

  /** Adds an event that was published during the replay. */
  add(item: ReplayItem): void {
    this.#items.push(item)
    this.#added += 1
    this.#addedBytes += item.ownBytes
  }

  /** Adds past events that the client asked for. They do not count as published during the replay. */
  addPast(items: readonly ReplayItem[]): void {
    for (const item of items) this.#items.push(item)
  }

  /**
   * Takes the next piece to write.
   *
   * @param onGap called with the targets of each gap that the piece has
   * @returns its frames; none when nothing is left
   */
  take(onGap?: (targets: readonly Target[]) => void): Buffer[] {
    const frames: Buffer[] = []
    // One gap per target is enough, until the client gets an event of that target again.
    const lost = new Set<string>()
    const gaps: Target[] = []
    const flushGaps = () => {
      if (gaps.length === 0) return
      onGap?.(gaps)
      frames.push(encodeGap(gaps.splice(0)))
    }
    for (let size = 0; size < PIECE_BYTES && !this.isEmpty; this.#next += 1) {
      const item = this.#items[this.#next] as ReplayItem
      const { frame, target, ordinal, ownBytes } = item
      if (ordinal > this.#missedUpTo) {
        this.#added -= 1
        this.#addedBytes -= ownBytes
      }
      if (frame === undefined) {
        const key = targetKey(target)
        if (!lost.has(key)) gaps.push(target)
        lost.add(key)
        continue
      }
      if (lost.size > 0) lost.delete(targetKey(target))
      flushGaps()
      frames.push(frame)
      size += frame.length
    }
    flushGaps()
    this.#dropTaken()
    return frames
  }

  /** Drops the taken items once they are half of all: moving the rest costs no more than taking them did. */
  #dropTaken(): void {
    if (this.#next * 2 < this.#items.length) return
    this.#items = this.#items.slice(this.#next)
    this.#next = 0
  }
}
