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

/** The most events that may be published during one replay: what is left of an evicted one takes about 250 bytes. */
const MOST_ADDED = 8_192

/** Items that are prepared as they are read. They take little memory until then. */
export interface ReplaySource {
  /** The ordinal of the next item. Undefined when nothing is left. */
  readonly next: number | undefined
  /** Takes the next item. Undefined when nothing is left. */
  take(): ReplayItem | undefined
}

/** The past events of rooms that a client asked for. */
export interface PastSource extends ReplaySource {
  /** Leaves out what is left of a room. */
  dropRoom(rid: string): void
}

/**
 * The frames that a session gets before it is live: the past events that it asked for when it connected, what it missed,
 * and what was published meanwhile, in order. The past of a room that it joins meanwhile comes in its turn.
 *
 * Nothing here holds an event. When one is evicted before its turn comes, a gap names its target in its place.
 */
export class Replay {
  #past: PastSource | undefined
  #missed: ReplaySource | undefined
  #items: (ReplayItem | PastSource)[] = []
  #next = 0
  /** Counts of the items that were published during the replay and still wait. */
  #added = 0
  #addedBytes = 0

  get isEmpty(): boolean {
    return (
      this.#next === this.#items.length && this.#past?.next === undefined && this.#missed?.next === undefined
    )
  }

  /** Tells whether too much was published during the replay. @param maxBytes the limit for bytes of its own */
  exceeds(maxBytes: number): boolean {
    return this.#addedBytes > maxBytes || this.#added > MOST_ADDED
  }

  /** Puts past events, and then the missed ones, before what was added so far. Called once, before `take`. */
  begin(past: PastSource | undefined, missed: ReplaySource | undefined): void {
    this.#past = past
    this.#missed = missed
  }

  /** Adds an event that was published during the replay. */
  add(item: ReplayItem): void {
    this.#items.push(item)
    this.#added += 1
    this.#addedBytes += item.ownBytes
  }

  /** Adds past events that the client asked for. They do not count as published during the replay. */
  addPast(past: PastSource): void {
    this.#items.push(past)
  }

  /** Drops the past events of a room that wait. */
  dropRoom(rid: string): void {
    this.#past?.dropRoom(rid)
    for (const item of this.#items) if (isPast(item)) item.dropRoom(rid)
    const waiting = this.#items.slice(this.#next)
    this.#items = waiting.filter((item) => !isPast(item) || item.next !== undefined)
    this.#next = 0
  }

  /**
   * Takes the next piece to write.
   *
   * @param onGap called with the targets of each gap that the piece has
   * @returns its frames; none when nothing is left
   */
  take(onGap?: (targets: readonly Target[]) => void): Buffer[] {
    if (this.isEmpty) return []
    const frames: Buffer[] = []
    // One gap per target is enough, until the client gets an event of that target again.
    const lost = new Set<string>()
    const gaps: Target[] = []
    const flushGaps = () => {
      if (gaps.length === 0) return
      onGap?.(gaps)
      frames.push(encodeGap(gaps.splice(0)))
    }
    for (let size = 0; size < PIECE_BYTES; ) {
      const item = this.#takeItem()
      if (item === undefined) break
      const { frame } = item
      if (frame === undefined) {
        const { target } = item
        const key = targetKey(target)
        if (!lost.has(key)) gaps.push(target)
        lost.add(key)
        continue
      }
      if (lost.size > 0) lost.delete(targetKey(item.target))
      flushGaps()
      frames.push(frame)
      size += frame.length
    }
    flushGaps()
    this.#dropTaken()
    return frames
  }

  #takeItem(): ReplayItem | undefined {
    const past = this.#past?.take()
    if (past !== undefined) return past
    for (;;) {
      const item = this.#items[this.#next]
      const missed = this.#missed?.next
      if (missed !== undefined && (item === undefined || isPast(item) || missed <= item.ordinal)) {
        // An event that was missed may have been published after the stream was made, too.
        if (item !== undefined && !isPast(item) && missed === item.ordinal) this.#takeAdded(item)
        return this.#missed?.take()
      }
      if (item === undefined) return undefined
      if (!isPast(item)) return this.#takeAdded(item)
      const next = item.take()
      if (next !== undefined) return next
      this.#next += 1
    }
  }

  #takeAdded(item: ReplayItem): ReplayItem {
    this.#next += 1
    this.#added -= 1
    this.#addedBytes -= item.ownBytes
    return item
  }

  /** Drops the taken items once they are half of all: moving the rest costs no more than taking them did. */
  #dropTaken(): void {
    if (this.#next * 2 < this.#items.length) return
    this.#items = this.#items.slice(this.#next)
    this.#next = 0
  }
}

function isPast(item: ReplayItem | PastSource): item is PastSource {
  return 'take' in item
}
