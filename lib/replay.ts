import type { Kept } from './backlog.ts'
import type { Target } from './protocol/event.ts'

/** How much of a replay is written in one piece. */
const SLICE_BYTES = 65_536

/** What a session missed. */
export interface Missed {
  /** In the order they were published. */
  readonly events: readonly Kept[]
  /** The targets of which something is not there any more. */
  readonly gaps: readonly Target[]
  /** The position up to which this is all. */
  readonly upTo: string
}

/** What a session has missed and has yet to be sent, and how far it has got. */
export class Replay {
  /** The position up to which the session has everything. */
  cursor: string
  #events: readonly Kept[] = []
  #next = 0
  #upTo: string
  /** The rooms entered since the replay began: what came before is not for this session. */
  readonly #entered = new Map<string, number>()

  constructor(cursor: string) {
    this.cursor = cursor
    this.#upTo = cursor
  }

  /** Takes up more events; those before must have been taken. */
  add({ events, upTo }: Missed): void {
    this.#upTo = upTo
    this.#events = events.filter(
      (event) => event.rid === undefined || event.ordinal > (this.#entered.get(event.rid) ?? 0),
    )
    this.#next = 0
  }

  /** A room was entered when the latest event had this ordinal. */
  enter(rid: string, ordinal: number): void {
    this.#entered.set(rid, ordinal)
  }

  /** The next piece to write, or undefined when all was taken. */
  take(): Buffer | undefined {
    const frames: Buffer[] = []
    for (let size = 0; size < SLICE_BYTES; this.#next += 1) {
      const event = this.#events[this.#next]
      if (event === undefined) break
      frames.push(event.frame)
      size += event.frame.length
    }
    if (frames.length === 0) this.cursor = this.#upTo
    return frames.length > 1 ? Buffer.concat(frames) : frames[0]
  }
}
