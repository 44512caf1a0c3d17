import { Deferred } from '../../lib/util/deferred.ts'
import { ANSWER_MS } from './connection.ts'
import { MOST_EVENTS } from './position.ts'

/** The most bytes of a batch, unless it is a single larger event. */
const BATCH_BYTES = 65_536

/**
 * For how long a batch that has to wait takes more events, in milliseconds: all of it becomes void at once. As long as the
 * answer to the batch before it may take, because less would let more come than goes when Redis is far.
 */
const OPEN_MS = ANSWER_MS

/** A message to a node's inbox. */
export interface Message {
  readonly node: string
  /** The time after which it is void, in milliseconds on the clock of Redis. */
  readonly deadline: number
  readonly text: string
  /** Called with false when there is no such node. */
  onSent(isThere: boolean): void
  /** Called when it is not sent, and will not be. */
  onFailed(error: Error): void
}

/** Items that become one entry. */
interface Items {
  readonly texts: string[]
}

/** What goes to Redis in one call, in order. */
export class OutgoingBatch {
  readonly parts: (Items | Message)[] = []
  /** On the clock of `performance.now()`. */
  readonly since = performance.now()
  /** The number of events and commands to all. */
  items = 0
  bytes = 0
  #delivered: Deferred<void> | undefined

  /** Settles when the batch was delivered to this node. */
  get delivered(): Deferred<void> {
    this.#delivered ??= new Deferred()
    return this.#delivered
  }

  hasRoomFor(bytes: number): boolean {
    if (this.items >= MOST_EVENTS || this.bytes + bytes > BATCH_BYTES) return false
    return performance.now() - this.since < OPEN_MS
  }

  add(text: string, bytes: number): void {
    const last = this.parts.at(-1)
    if (last !== undefined && 'texts' in last) last.texts.push(text)
    else this.parts.push({ texts: [text] })
    this.items += 1
    this.bytes += bytes
  }

  send(message: Message, bytes: number): void {
    this.parts.push(message)
    this.bytes += bytes
  }

  /** Nothing of it happened, and nothing will. */
  fail(error: Error): void {
    this.#delivered?.reject(error)
    for (const part of this.parts) if ('onFailed' in part) part.onFailed(error)
  }
}
