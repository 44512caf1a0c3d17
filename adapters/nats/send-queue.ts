import { CometError } from '../../lib/errors.ts'
import { Deferred } from '../../lib/util/deferred.ts'
import { Fifo } from '../../lib/util/fifo.ts'
import type { Outgoing } from './outgoing.ts'

/** How long what was published may wait for NATS, in milliseconds. */
const LONGEST_MS = 30_000

/** The most that waits for NATS while it cannot be reached. */
const OUTAGE_LIMIT = { items: 10_000, bytes: 16 * 1_048_576 } as const

/** The most that waits while it can: what is published in one loop must not be lost for want of room. */
const LIMIT = { items: 100_000, bytes: 64 * 1_048_576 } as const

/** The most bytes that one event may have, with all of its messages. */
export const MOST_BYTES = OUTAGE_LIMIT.bytes

/** The most that is on its way at a time: all of it is sent again after an outage. */
const WINDOW = { items: 1_024, bytes: 4 * 1_048_576 } as const

/** An event that waits for NATS, or is on its way. */
export class QueuedEvent {
  readonly outgoing: Outgoing
  /** Settles its `publish`. */
  readonly published = new Deferred<void>()
  /** On the clock of `performance.now()`. */
  readonly since = performance.now()
  /** 0 until it is sent for the first time: what is rejected before has no number. */
  number = 0
  /** When it was sent the last time, on the clock of `performance.now()`. */
  sentAt = 0

  constructor(outgoing: Outgoing) {
    this.outgoing = outgoing
  }
}

/**
 * The events of this node that NATS has not taken. The client drops without a word what is sent while it is not
 * connected, so everything is kept here until NATS is known to have it.
 *
 * ```
 * publish ─▶ waiting ──send, in order──▶ on its way ──taken──▶ gone
 *               ▲                            │
 *               └───────── sent again ───────┘ when the connection was lost
 * ```
 */
export class SendQueue {
  readonly #send: (item: QueuedEvent) => void
  /** What has never been sent. */
  #waiting = new Fifo<QueuedEvent>()
  /** What was on its way when the connection was lost. It goes before what waits. */
  #again = new Fifo<QueuedEvent>()
  /** What is on its way, in the order of its numbers. */
  readonly #sent = new Set<QueuedEvent>()
  /** Those whose `publish` has not settled. */
  readonly #unsettled = new Set<QueuedEvent>()
  #items = 0
  #bytes = 0
  #sentBytes = 0
  #number = 0
  #isOpen = false
  #isUp = true
  #isClosed = false
  #timer: NodeJS.Timeout | undefined

  /** @param send sends an event that has a number. Must not throw */
  constructor(send: (item: QueuedEvent) => void) {
    this.#send = send
  }

  /** What is on its way, in order. */
  get sent(): Iterable<QueuedEvent> {
    return this.#sent
  }

  /** Takes an event. @returns settles when {@link settle} is called with it */
  publish(outgoing: Outgoing): Promise<void> {
    const { bytes } = outgoing
    const limit = this.#isUp ? LIMIT : OUTAGE_LIMIT
    if (this.#isClosed) return Promise.reject(closed())
    if (this.#items >= limit.items || this.#bytes + bytes > limit.bytes) return Promise.reject(queueIsFull())
    const item = new QueuedEvent(outgoing)
    this.#waiting.push(item)
    this.#unsettled.add(item)
    this.#items += 1
    this.#bytes += bytes
    this.#timer ??= setInterval(() => this.#rejectWaiting(isOld, waitedTooLong()), 1_000).unref()
    this.#pump()
    return item.published.promise
  }

  /** Settles when the events so far have. @returns undefined when they have */
  settled(): Promise<void> | undefined {
    if (this.#unsettled.size === 0) return undefined
    const ends = Array.from(this.#unsettled, ({ published }) => published.promise.catch(() => {}))
    return Promise.all(ends).then(() => {})
  }

  /** Sends what waits, and what comes. */
  open(): void {
    this.#isOpen = true
    this.#pump()
  }

  /** Sends nothing until {@link open}. What was on its way will be sent again, before what waits. */
  pause(): void {
    this.#isOpen = false
    const again = new Fifo<QueuedEvent>()
    for (const item of this.#sent) again.push(item)
    for (const item of drain(this.#again)) again.push(item)
    this.#again = again
    this.#sent.clear()
    this.#sentBytes = 0
  }

  /**
   * Tells whether NATS counts as away. What is too much for an outage is rejected, the latest first; but nothing that was
   * sent once, because it may have arrived.
   */
  setUp(isUp: boolean): void {
    this.#isUp = isUp
    if (isUp) return
    const waiting = Array.from(drain(this.#waiting))
    while (this.#items > OUTAGE_LIMIT.items || this.#bytes > OUTAGE_LIMIT.bytes) {
      const latest = waiting.pop()
      if (latest === undefined) break
      this.#end(latest, queueIsFull())
    }
    for (const item of waiting) this.#waiting.push(item)
  }

  /** NATS has an event: it is not sent again. Idempotent. @returns false when it was not on its way */
  taken(item: QueuedEvent): boolean {
    if (!this.#sent.delete(item)) return false
    const { bytes } = item.outgoing
    this.#sentBytes -= bytes
    this.#items -= 1
    this.#bytes -= bytes
    // Many at a time go out in one write.
    if (this.#sent.size <= WINDOW.items / 2) this.#pump()
    return true
  }

  /** The event was delivered to this node, or it does not wait for that any more. Idempotent. */
  settle(item: QueuedEvent): void {
    this.#unsettled.delete(item)
    item.published.resolve()
  }

  /** NATS refused an event that was on its way. */
  refuse(item: QueuedEvent, error: CometError): void {
    if (!this.taken(item)) return
    this.#unsettled.delete(item)
    item.published.reject(error)
  }

  /** Sends nothing any more, and rejects what NATS is not known to have. Idempotent. */
  close(): void {
    this.pause()
    this.#isClosed = true
    clearInterval(this.#timer)
    for (const item of drain(this.#again)) this.#end(item, closed())
    this.#rejectWaiting(() => true, closed())
  }

  #pump(): void {
    for (let next = this.#next; next !== undefined && this.#mayGo(next); next = this.#next) {
      if (this.#again.shift() === undefined) {
        this.#waiting.shift()
        this.#number += 1
        next.number = this.#number
      }
      next.sentAt = performance.now()
      this.#sent.add(next)
      this.#sentBytes += next.outgoing.bytes
      this.#send(next)
    }
    this.#stopTimerIfEmpty()
  }

  #stopTimerIfEmpty(): void {
    if (this.#items > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  get #next(): QueuedEvent | undefined {
    return this.#again.first ?? this.#waiting.first
  }

  #mayGo({ outgoing }: QueuedEvent): boolean {
    if (!this.#isOpen || this.#sent.size >= WINDOW.items) return false
    return this.#sent.size === 0 || this.#sentBytes + outgoing.bytes <= WINDOW.bytes
  }

  /** Rejects what has never been sent, as long as it fits. */
  #rejectWaiting(isMeant: (item: QueuedEvent) => boolean, error: CometError): void {
    for (let next = this.#waiting.first; next !== undefined && isMeant(next); next = this.#waiting.first) {
      this.#waiting.shift()
      this.#end(next, error)
    }
  }

  #end(item: QueuedEvent, error: CometError): void {
    this.#items -= 1
    this.#bytes -= item.outgoing.bytes
    this.#unsettled.delete(item)
    item.published.reject(error)
    this.#stopTimerIfEmpty()
  }
}

function* drain<T>(queue: Fifo<T>): Iterable<T> {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) yield next
}

function isOld({ since }: QueuedEvent): boolean {
  return performance.now() - since > LONGEST_MS
}

function closed(): CometError {
  return new CometError('SHUTTING_DOWN', 'The Comet is closed.')
}

function queueIsFull(): CometError {
  return new CometError(
    'UNAVAILABLE',
    'Too much waits for NATS. Publish less, or wait for what was published.',
  )
}

function waitedTooLong(): CometError {
  return new CometError('UNAVAILABLE', `NATS could not be reached within ${LONGEST_MS} ms.`)
}
