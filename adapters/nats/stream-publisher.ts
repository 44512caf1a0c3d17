import { headers, type Msg, type NatsConnection, type Subscription } from '@nats-io/transport-node'
import { CometError } from '../../lib/errors.ts'
import { Fifo } from '../../lib/util/fifo.ts'
import type { FeedContext } from './feed.ts'
import { inboxOf } from './inbox.ts'
import type { NatsMessage } from './outgoing.ts'
import type { QueuedEvent } from './send-queue.ts'

/** How long JetStream has to acknowledge an event before it is sent again, in milliseconds. */
const ANSWER_MS = 5_000

/** How long is waited for a delivery to this node, in milliseconds. A node that lags so far must not hold up its app. */
const DELIVERY_MS = 1_000

const CHECK_MS = 500

/** The status of an answer when nobody takes messages of a subject: there is no stream, or it has no leader now. */
const NO_RESPONDERS = 503

/** The codes of JetStream's errors that will not pass: its limits are reached. */
const FULL = new Set([10_023, 10_047, 10_077])

/** What JetStream answers to an event. */
interface Answer {
  readonly seq?: number
  readonly error?: { readonly code: number; readonly err_code?: number; readonly description?: string }
}

/** The messages of an event that JetStream has acknowledged. */
interface Acknowledged {
  readonly item: QueuedEvent
  readonly parts: Set<number>
  readonly count: number
  /** The sequence of the first message, which is the one that Comets deliver. */
  sequence: number
}

/**
 * Publishes to a stream. Each message has an id, so that JetStream takes it once, however often it is sent.
 */
export class StreamPublisher {
  readonly #context: FeedContext
  readonly #cursor: () => number
  readonly #open = new Map<number, Acknowledged>()
  /** Events that JetStream has, and that have not come to this node, in the order of the stream. */
  readonly #awaited = new Fifo<{
    readonly item: QueuedEvent
    readonly sequence: number
    readonly due: number
  }>()
  #nats: NatsConnection | undefined
  #inbox = ''
  #answers: Subscription | undefined
  #timer: NodeJS.Timeout | undefined

  /** @param cursor tells the sequence up to which events were delivered to this node */
  constructor(context: FeedContext, cursor: () => number) {
    this.#context = context
    this.#cursor = cursor
  }

  /** Uses a connection. */
  open(nats: NatsConnection): void {
    this.#timer ??= setInterval(() => this.#onTimer(), CHECK_MS).unref()
    if (this.#nats === nats && this.#answers?.isClosed() === false) return
    this.#nats = nats
    this.#inbox = inboxOf(nats)
    this.#answers = nats.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (error) this.#context.reopen(error)
        else this.#onAnswer(message)
      },
    })
  }

  /** See Feed. */
  send(item: QueuedEvent, messages: readonly NatsMessage[]): void {
    const { number } = item
    if (!this.#open.has(number)) {
      this.#open.set(number, { item, parts: new Set(), count: messages.length, sequence: 0 })
    }
    for (const [at, { subject, payload }] of messages.entries()) {
      const header = headers()
      header.set('Nats-Msg-Id', `${this.#context.origin}.${number}.${at}`)
      const reply = `${this.#inbox}.${number}-${at}`
      // Not as a text, which the client takes twice as long to encode.
      this.#nats?.publish(subject, Buffer.from(payload), { reply, headers: header })
    }
  }

  /** This node was delivered what is in the stream, up to a sequence. */
  cameTo(sequence: number): void {
    this.#settle((awaited) => awaited.sequence <= sequence)
  }

  /** Ends. Idempotent. */
  close(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    if (this.#answers?.isClosed() === false) this.#answers.unsubscribe()
    this.#settle(() => true)
  }

  #onAnswer(message: Msg): void {
    const [number = 0, at = 0] = message.subject
      .slice(this.#inbox.length + 1)
      .split('-')
      .map(Number)
    const open = this.#open.get(number)
    if (open === undefined) return
    if (message.headers?.code === NO_RESPONDERS) {
      this.#context.reopen(new Error('JetStream takes no events: there is no stream, or it has no leader.'))
      return
    }
    const { seq = 0, error } = message.json<Answer>()
    if (error !== undefined) this.#onRefused(open, error)
    else this.#onAcknowledged(open, at, seq)
  }

  #onAcknowledged(open: Acknowledged, at: number, sequence: number): void {
    open.parts.add(at)
    if (at === 0) open.sequence = sequence
    if (open.parts.size < open.count) return
    const { item } = open
    const { queue, receives } = this.#context
    this.#open.delete(item.number)
    queue.taken(item)
    if (!receives || open.sequence <= this.#cursor()) queue.settle(item)
    else this.#awaited.push({ item, sequence: open.sequence, due: performance.now() + DELIVERY_MS })
  }

  #onRefused(
    { item }: Acknowledged,
    { code, err_code = 0, description = '' }: NonNullable<Answer['error']>,
  ): void {
    const error = new CometError('UNAVAILABLE', `JetStream refused an event: ${description}.`)
    // It is busy, or has no leader: it will take the event when it is sent again.
    if (code >= 500 && !FULL.has(err_code)) {
      this.#context.reopen(error)
      return
    }
    this.#open.delete(item.number)
    this.#context.queue.refuse(item, error)
  }

  #onTimer(): void {
    const now = performance.now()
    this.#forget()
    this.#settle(({ due }) => due <= now)
    const [oldest] = this.#context.queue.sent
    if (oldest !== undefined && now - oldest.sentAt > ANSWER_MS) {
      this.#context.reopen(new Error(`JetStream did not acknowledge an event within ${ANSWER_MS} ms.`))
    }
  }

  /** Forgets what is not on its way: NATS has refused it, or it will be sent again with all of its messages. */
  #forget(): void {
    const sent = new Set(this.#context.queue.sent)
    for (const [number, { item }] of this.#open) if (!sent.has(item)) this.#open.delete(number)
  }

  #settle(isDone: (awaited: { readonly sequence: number; readonly due: number }) => boolean): void {
    for (let next = this.#awaited.first; next !== undefined && isDone(next); next = this.#awaited.first) {
      this.#awaited.shift()
      this.#context.queue.settle(next.item)
    }
  }
}
