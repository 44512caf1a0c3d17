import type { PresenceHandler } from '../../lib/ports/presence.ts'
import type { RawEntry } from './entry.ts'
import type { FollowedStream } from './reader.ts'
import { parseStep, stepsOf } from './record.ts'

/** How long a call waits for this node to read what it did, in milliseconds. */
const PASS_MS = 1_000

/** A call that waits until the record was read up to a stamp. */
interface Waiter {
  readonly stamp: number
  readonly resolve: () => void
  readonly timer: NodeJS.Timeout
}

/**
 * Tells a node what the record has: all transitions if its activity is `'cluster'`, and the changes of the rooms that it
 * watches.
 */
export class RecordFollower implements FollowedStream {
  readonly key: string
  readonly #node: PresenceHandler
  /** How many times each room is watched. */
  readonly #watched = new Map<string, number>()
  readonly #waiters = new Set<Waiter>()
  readonly #isWatched = (rid: string): boolean => this.#watched.has(rid)
  /** The stamp of the last entry that was read. */
  #last = 0
  #isClosed = false

  constructor(node: PresenceHandler, key: string) {
    this.#node = node
    this.key = key
  }

  /** Whether the record is to be read. */
  get isNeeded(): boolean {
    return !this.#isClosed && (this.#node.activity === 'cluster' || this.#watched.size > 0)
  }

  /** The id of the entry after which to read. */
  get readAfter(): string {
    return String(this.#last)
  }

  /** Begins after a stamp. Call it before the first {@link take}, and when the record was not read for some time. */
  begin(stamp: number): void {
    this.#last = stamp
  }

  take(entries: readonly RawEntry[]): void {
    for (const [id, fields] of entries) {
      for (const step of stepsOf(id, fields)) this.#takeStep(step)
    }
  }

  #takeStep(text: string): void {
    if (this.#isClosed) return
    const { stamp, before, events, changes } = parseStep(text, this.#isWatched)
    if (stamp <= this.#last) return
    if (before > this.#last && this.#node.activity === 'cluster') warnOfGap()
    this.#last = stamp
    if (events.length > 0 && this.#node.activity === 'cluster') this.#node.onActivity(events)
    for (const change of changes) this.#node.onRoomChange(change)
    for (const waiter of this.#waiters) if (waiter.stamp <= stamp) this.#release(waiter)
  }

  /** Settles when the record was read up to a stamp, or after a second. */
  reach(stamp: number): Promise<void> {
    if (this.#isClosed || stamp <= this.#last) return Promise.resolve()
    return new Promise((resolve) => {
      const waiter: Waiter = { stamp, resolve, timer: setTimeout(() => this.#release(waiter), PASS_MS) }
      this.#waiters.add(waiter)
    })
  }

  /** @returns ends it; idempotent */
  watch(rid: string): () => void {
    this.#watched.set(rid, (this.#watched.get(rid) ?? 0) + 1)
    let watches = true
    return () => {
      if (!watches) return
      watches = false
      const count = this.#watched.get(rid) ?? 0
      if (count > 1) this.#watched.set(rid, count - 1)
      else this.#watched.delete(rid)
    }
  }

  close(): void {
    this.#isClosed = true
    this.#watched.clear()
    for (const waiter of this.#waiters) this.#release(waiter)
  }

  #release(waiter: Waiter): void {
    clearTimeout(waiter.timer)
    this.#waiters.delete(waiter)
    waiter.resolve()
  }
}

function warnOfGap(): void {
  process.emitWarning(
    'Activity was lost to this node: the record in Redis was trimmed before it was read, because the node was cut off for too long, or the store lost data. Hooks have missed transitions.',
    'CometWarning',
  )
}
