import { CometError, isCometError } from '../../lib/errors.ts'
import { Deferred } from '../../lib/util/deferred.ts'
import { Fifo } from '../../lib/util/fifo.ts'
import { codeOf } from './connection.ts'
import type { Keys } from './keys.ts'
import type { NumberedCalls } from './numbered-calls.ts'
import { APPEND, newEpoch, ORDER_KEYS } from './order-scripts.ts'
import { type Message, OutgoingBatch } from './outgoing-batch.ts'
import { type Place, parseLink } from './position.ts'

/** How long what was published may wait for Redis, in milliseconds. */
const LONGEST_MS = 30_000

/** The most that waits for Redis while it cannot be reached. */
const OUTAGE_LIMIT = { items: 10_000, bytes: 16 * 1_048_576 } as const

/** The most that waits for it while it can: what is published in one loop must not be lost for want of room. */
const LIMIT = { items: 100_000, bytes: 64 * 1_048_576 } as const

/** The largest event, in bytes. */
const LARGEST = OUTAGE_LIMIT.bytes

/** What a {@link Writer} is made with. */
export interface WriterSettings {
  /** What the stream has room for if no node has told, as arguments of scripts. */
  readonly room: () => readonly string[]
  /** Settles when batches may be sent. */
  readonly gate: () => Promise<unknown> | undefined
  /** Called when Redis took events, with the place of the last one: the batch is delivered once this node is there. */
  readonly onTaken: (batch: OutgoingBatch, place: Place) => void
}

/**
 * What this node sends: events and commands to all, which are appended to the order, and commands and answers to single
 * nodes. One call is on its way at a time, and what comes meanwhile goes out with the next one, so all of it stays in
 * order, and many events cost little more than one.
 */
export class Writer {
  readonly #calls: NumberedCalls
  readonly #keys: Keys
  readonly #settings: WriterSettings
  readonly #queue = new Fifo<OutgoingBatch>()
  /** The batch that takes what comes next. */
  #open: OutgoingBatch | undefined
  /** What waits or is on its way. */
  #items = 0
  #bytes = 0
  /** That of the last answer. */
  #epoch = ''
  /** The one that begins if the last has ended. */
  #nextEpoch = newEpoch()
  #isRunning = false
  #onIdle: Deferred<void> | undefined
  #isUp = true
  #isClosed = false
  #timer: NodeJS.Timeout | undefined
  /** The batches with events that have not settled. */
  readonly #unsettled = new Set<OutgoingBatch>()

  constructor(calls: NumberedCalls, keys: Keys, settings: WriterSettings) {
    this.#calls = calls
    this.#keys = keys
    this.#settings = settings
  }

  /**
   * Appends an event, or a command to all nodes.
   *
   * @param text JSON
   * @returns settles when it was delivered to this node
   */
  publish(text: string): Promise<void> {
    const bytes = Buffer.byteLength(text)
    const refusal = this.#refusalOf(bytes)
    if (refusal !== undefined) return Promise.reject(refusal)
    const batch = this.#batchFor(bytes)
    batch.add(text, bytes)
    this.#count(1, bytes)
    this.#unsettled.add(batch)
    return batch.delivered.promise
  }

  /** Sends a message to one node. */
  send(message: Message): void {
    const bytes = Buffer.byteLength(message.text)
    const refusal = this.#refusalOf(bytes)
    if (refusal !== undefined) {
      message.onFailed(refusal)
      return
    }
    this.#batchFor(bytes).send(message, bytes)
    this.#count(0, bytes)
  }

  /** Settles when the events so far have. @returns undefined when they have */
  settled(): Promise<void> | undefined {
    if (this.#unsettled.size === 0) return undefined
    const ends = Array.from(this.#unsettled, ({ delivered }) => delivered.promise.catch(() => {}))
    return Promise.all(ends).then(() => {})
  }

  /** The events of a batch have been delivered to this node, or it does not wait for that any more. */
  settle(batch: OutgoingBatch): void {
    if (this.#unsettled.delete(batch)) batch.delivered.resolve()
  }

  /** Settles when nothing waits, and nothing is on its way. */
  idle(): Promise<void> {
    if (!this.#isRunning) return Promise.resolve()
    this.#onIdle ??= new Deferred()
    return this.#onIdle.promise
  }

  /** Redis cannot be reached, or can be again. What is too much for an outage is rejected, the latest first. */
  setUp(isUp: boolean): void {
    this.#isUp = isUp
    if (isUp) return
    const batches: OutgoingBatch[] = []
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) batches.push(next)
    while (this.#items > OUTAGE_LIMIT.items || this.#bytes > OUTAGE_LIMIT.bytes) {
      const latest = batches.pop()
      if (latest === undefined) break
      this.#fail(latest, queueIsFull())
    }
    for (const batch of batches) this.#queue.push(batch)
  }

  /** Sends nothing any more, and rejects what waits. Idempotent. */
  close(): void {
    this.#isClosed = true
    clearInterval(this.#timer)
    this.#rejectAll(() => true, closed())
  }

  #refusalOf(bytes: number): CometError | undefined {
    if (this.#isClosed) return closed()
    if (bytes > LARGEST) {
      return new CometError(
        'EVENT_TOO_LARGE',
        `Redis takes events of at most ${LARGEST} bytes, and it has ${bytes}.`,
      )
    }
    const limit = this.#isUp ? LIMIT : OUTAGE_LIMIT
    return this.#items >= limit.items || this.#bytes + bytes > limit.bytes ? queueIsFull() : undefined
  }

  #batchFor(bytes: number): OutgoingBatch {
    if (this.#open?.hasRoomFor(bytes)) return this.#open
    const batch = new OutgoingBatch()
    this.#open = batch
    this.#queue.push(batch)
    this.#timer ??= setInterval(() => this.#rejectOld(), 1_000).unref()
    // What the same piece of code publishes goes out together.
    if (!this.#isRunning) queueMicrotask(() => this.#run())
    this.#isRunning = true
    return batch
  }

  #count(items: number, bytes: number): void {
    this.#items += items
    this.#bytes += bytes
  }

  async #run(): Promise<void> {
    await this.#settings.gate()
    for (let batch = this.#queue.shift(); batch !== undefined; batch = this.#queue.shift()) {
      if (batch === this.#open) this.#open = undefined
      await this.#write(batch)
      const gate = this.#settings.gate()
      if (gate !== undefined) await gate
    }
    this.#isRunning = false
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#onIdle?.resolve()
    this.#onIdle = undefined
  }

  async #write(batch: OutgoingBatch): Promise<void> {
    const { keys, args, messages } = this.#callOf(batch)
    try {
      const answer = await this.#calls.call(APPEND, keys, args, () => isOld(batch))
      if (answer === undefined) this.#fail(batch, waitedTooLong())
      else this.#taken(batch, answer, messages)
    } catch (error) {
      this.#fail(batch, refusedBy(error))
    }
  }

  /** The arguments of the call that writes a batch. */
  #callOf({ parts }: OutgoingBatch): { keys: string[]; args: string[]; messages: Message[] } {
    const keys = [...ORDER_KEYS.map((name) => this.#keys[name]), this.#keys.nodes]
    const places = new Map<string, number>()
    const messages: Message[] = []
    const args = [this.#nextEpoch, ...this.#settings.room(), this.#epoch]
    for (const part of parts) {
      if ('texts' in part) {
        args.push('e', String(part.texts.length - 1), `[${part.texts.join(',')}]`)
        continue
      }
      // After the keys that every numbered call has.
      const place = places.get(part.node) ?? keys.push(this.#keys.inbox(part.node)) + 2
      places.set(part.node, place)
      args.push('c', String(place), part.node, String(Math.ceil(part.deadline)), part.text)
      messages.push(part)
    }
    return { keys, args, messages }
  }

  #taken(batch: OutgoingBatch, answer: string, messages: readonly Message[]): void {
    this.#count(-batch.items, -batch.bytes)
    const [epoch = '', link = '', flags = ''] = answer.split(' ')
    this.#epoch = epoch
    if (epoch === this.#nextEpoch) this.#nextEpoch = newEpoch()
    const place = parseLink(epoch, link)
    if (batch.items > 0 && place !== undefined) this.#settings.onTaken(batch, place)
    for (const [at, message] of messages.entries()) message.onSent(flags[at] !== '0')
  }

  #fail(batch: OutgoingBatch, error: CometError): void {
    if (batch === this.#open) this.#open = undefined
    this.#count(-batch.items, -batch.bytes)
    this.#unsettled.delete(batch)
    batch.fail(error)
  }

  /** Rejects what has waited for too long. The batch that is on its way may have arrived: its call finds out. */
  #rejectOld(): void {
    this.#rejectAll(isOld, waitedTooLong())
  }

  #rejectAll(isMeant: (batch: OutgoingBatch) => boolean, error: CometError): void {
    for (let next = this.#queue.first; next !== undefined && isMeant(next); next = this.#queue.first) {
      this.#queue.shift()
      this.#fail(next, error)
    }
  }
}

function isOld({ since }: OutgoingBatch): boolean {
  return performance.now() - since > LONGEST_MS
}

function closed(): CometError {
  return new CometError('SHUTTING_DOWN', 'The Comet is closed.')
}

function queueIsFull(): CometError {
  return new CometError(
    'UNAVAILABLE',
    'Too much waits for Redis. Publish less, or wait for what was published.',
  )
}

function waitedTooLong(): CometError {
  return new CometError('UNAVAILABLE', `Redis could not be reached within ${LONGEST_MS} ms.`)
}

function refusedBy(cause: unknown): CometError {
  if (isCometError(cause)) return cause
  if (codeOf(cause) !== 'OOM')
    return new CometError('UNAVAILABLE', 'Redis refused what was published.', { cause })
  const message = 'Redis has no memory left. Raise its maxmemory, or lower option historyBytes or historyAge.'
  return new CometError('UNAVAILABLE', message, { cause })
}
