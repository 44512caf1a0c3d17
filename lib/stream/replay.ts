import type { Target } from '../protocol/event.ts'
import { targetKey } from '../protocol/target.ts'
import { encodeGap } from './sse.ts'

/** Something that a session is yet to be sent. */
export interface Owed {
  /** Its place among all that this node was delivered. */
  /** 0 for what is of the past and comes in no order with the rest. */
  readonly ordinal: number
  readonly target: Target
  /** Undefined once it is not kept any more. */
  readonly frame: Buffer | undefined
  /** How many bytes are held for those alone who are owed it: none of what is in the backlog. */
  readonly held: number
}

/** Something that is said to a session amid a replay, and is no event. */
export function note(frame: Buffer, target: Target = {}): Owed {
  return { ordinal: 0, target, frame, held: 0 }
}

/** How much of a replay is written in one piece. */
const SLICE_BYTES = 65_536

/** How many events may be published while one replay goes on: to remember each takes some memory, too. */
const MOST_ADDED = 16_384

/**
 * What a session has yet to be sent before it is live: what it missed, and what was published since, in order. What is
 * in the backlog is only referred to; when it is evicted before its turn comes, its target is named in a gap.
 */
export class Replay {
  #items: Owed[] = []
  #next = 0
  /** The latest ordinal of what was missed: all that comes after was published meanwhile. */
  #missedUpTo = 0
  /** What was added since the replay began, and waits. */
  #added = 0
  #addedBytes = 0

  get isEmpty(): boolean {
    return this.#next === this.#items.length
  }

  /** Whether too much is published meanwhile. @param maxBytes how much may be held for this one */
  exceeds(maxBytes: number): boolean {
    return this.#addedBytes > maxBytes || this.#added > MOST_ADDED
  }

  /** Puts what was missed before and amid what was added so far. */
  begin(missed: readonly Owed[]): void {
    if (missed.length > 0) {
      const all = Array.from(new Set([...missed, ...this.#items]))
      this.#items = all.sort((a, b) => a.ordinal - b.ordinal)
    }
    this.#missedUpTo = this.#items.at(-1)?.ordinal ?? 0
    this.#added = 0
    this.#addedBytes = 0
  }

  /** Adds something that was published meanwhile. */
  add(item: Owed): void {
    this.#items.push(item)
    this.#added += 1
    this.#addedBytes += item.held
  }

  /** Adds some of the past. */
  recall(items: readonly Owed[]): void {
    for (const item of items) this.#items.push(item)
  }

  /** The next piece to write, or undefined when all was taken. */
  take(): Buffer | undefined {
    const frames: Buffer[] = []
    // Of those that are missed now, one gap is enough for each target until the client is told something of it again.
    const lost = new Set<string>()
    const gaps: Target[] = []
    const name = () => {
      if (gaps.length > 0) frames.push(encodeGap(gaps.splice(0)))
    }
    for (let size = 0; size < SLICE_BYTES && !this.isEmpty; this.#next += 1) {
      const item = this.#items[this.#next] as Owed
      const { frame, target, ordinal, held } = item
      if (ordinal > this.#missedUpTo) {
        this.#added -= 1
        this.#addedBytes -= held
      }
      if (frame === undefined) {
        const key = targetKey(target)
        if (!lost.has(key)) gaps.push(target)
        lost.add(key)
        continue
      }
      if (lost.size > 0) lost.delete(targetKey(target))
      name()
      frames.push(frame)
      size += frame.length
    }
    name()
    this.#forget()
    return frames.length > 1 ? Buffer.concat(frames) : frames[0]
  }

  /** Lets go of what was taken, half of all at a time: to move the rest costs no more than to have taken them. */
  #forget(): void {
    if (this.#next * 2 < this.#items.length) return
    this.#items = this.#items.slice(this.#next)
    this.#next = 0
  }
}
