import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node'
import { atMost } from '../../lib/util/at-most.ts'
import { Waiters } from '../../lib/util/waiters.ts'
import type { Feed, FeedContext } from './feed.ts'
import type { Origin } from './incoming.ts'
import type { NatsMessage } from './outgoing.ts'
import type { QueuedEvent } from './send-queue.ts'
import { Senders } from './senders.ts'

/** How long this node waits for its own event to come back, in milliseconds. */
const LONGEST_MS = 1_000

/** How long NATS has to answer, in milliseconds. */
const ANSWER_MS = 5_000

/** The life of a node, the number of the last event of its own that it had, and how many events it was delivered. */
const POSITION = /^([\w-]+)\.(\d{1,15})\.(\d{1,15})$/

/**
 * Events by subjects alone. NATS keeps nothing, and each node has an order of its own: its positions are the node's, and
 * what is published while it is not connected is lost to it, which it tells as a gap.
 */
export class CoreFeed implements Feed {
  readonly reserve = 0
  readonly #context: FeedContext
  readonly #senders = new Senders()
  /** Who waits for what another node had published. */
  readonly #waiters = new Waiters<Origin>()
  #sequence = 0
  /** The number of the last event of its own that was delivered to this node. */
  #own = 0
  #nats: NatsConnection | undefined
  /** Whether NATS was reached once. */
  #isReady = false
  /** What comes before {@link FeedContext.begin} is told, while this is being opened. */
  #held: Msg[] | undefined = []
  #subscriptions: readonly Subscription[] = []
  #isFlushing = false
  /** On the clock of `performance.now()`. */
  #flushedAt = 0
  /** The number of the latest event that NATS is, or will be, asked about. */
  #latest = 0
  #timer: NodeJS.Timeout | undefined

  constructor(context: FeedContext) {
    this.#context = context
  }

  position(): string | undefined {
    return this.#isReady && this.#context.receives ? this.#position : undefined
  }

  get #position(): string {
    return `${this.#context.origin}.${this.#own}.${this.#sequence}`
  }

  compare(a: string, b: string): number | undefined {
    const [first, second] = [this.#sequenceOf(a), this.#sequenceOf(b)]
    return first === undefined || second === undefined ? undefined : first - second
  }

  /**
   * Waits until this node has what the other node had published by then. What it had heard from others is not known here.
   */
  async reach(position: string, timeout: number): Promise<void> {
    const [, node = '', number = '0'] = POSITION.exec(position) ?? []
    const isBehind = () => (this.#senders.lastOf(node) ?? 0) < Number(number)
    if (!isBehind()) return
    // What this server of NATS had by now comes before the answer, also the first event of a node.
    await atMost(
      timeout,
      this.#nats?.flush().catch(() => {}),
    )
    if (this.#senders.lastOf(node) === undefined || !isBehind()) return
    await this.#waiters.wait({ node, number: Number(number) }, timeout)
  }

  #sequenceOf(position: string): number | undefined {
    const [, node, , sequence] = POSITION.exec(position) ?? []
    const isKnown = node === this.#context.origin && Number(sequence) <= this.#sequence
    return isKnown ? Number(sequence) : undefined
  }

  async open(nats: NatsConnection): Promise<void> {
    this.#nats = nats
    this.#held ??= []
    if (this.#context.receives && this.#subscriptions.some((subscription) => subscription.isClosed())) {
      this.#unsubscribe()
    }
    if (this.#context.receives && this.#subscriptions.length === 0) {
      const { events, sessions } = this.#context.subjects
      this.#subscriptions = [events, sessions].map((subject) => this.#subscribe(nats, subject))
    }
    // The client subscribes again by itself. The answer shows that NATS has done it.
    await nats.flush()
    const closed = this.#subscriptions.find((subscription) => subscription.isClosed())
    if (closed !== undefined) throw refusedSubscription(closed.getSubject())
    this.#isReady = true
    this.#senders.forgive()
    const held = this.#held
    this.#held = undefined
    if (this.#context.receives) this.#begin()
    for (const { subject, data } of held) this.#take(subject, data)
  }

  lost(): void {
    this.#held = []
  }

  /** Begins at a new position: what was published between the last event and the next may be lost. */
  #begin(): void {
    this.#sequence += 1
    this.#context.begin(this.#position)
  }

  #subscribe(nats: NatsConnection, subject: string): Subscription {
    return nats.subscribe(subject, {
      callback: (error, message) => {
        if (error) this.#context.reopen(refusedSubscription(subject, error))
        else if (this.#held === undefined) this.#take(message.subject, message.data)
        else this.#held.push(message)
      },
    })
  }

  #take(subject: string, payload: Uint8Array): void {
    const incoming = this.#context.read(subject, payload)
    if (incoming === undefined) return
    const { envelope, origin } = incoming
    if (origin !== undefined) {
      const arrival = this.#senders.note(origin.node, origin.number)
      if (arrival === 'again') {
        this.#returned(origin)
        return
      }
      // NATS keeps the order of a sender, so what is missing will not come.
      if (arrival === 'after-missing') this.#begin()
    }
    this.#sequence += 1
    if (origin?.node === this.#context.origin) this.#own = origin.number
    this.#context.deliver(envelope, this.#position)
    if (origin !== undefined) this.#returned(origin)
  }

  #returned({ node, number }: Origin): void {
    // An event came back to the node that has published it, so NATS has it and all before it.
    if (node === this.#context.origin) this.#takenUpTo(number)
    this.#waiters.end((waited) => waited.node === node && waited.number <= number)
  }

  #takenUpTo(number: number): void {
    const { queue } = this.#context
    for (const item of queue.sent) {
      if (item.number > number) return
      queue.taken(item)
      queue.settle(item)
    }
  }

  send(nats: NatsConnection, { number }: QueuedEvent, messages: readonly NatsMessage[]): void {
    // Not as texts, which the client takes twice as long to encode.
    for (const { subject, payload } of messages) nats.publish(subject, Buffer.from(payload))
    this.#timer ??= setInterval(() => this.#onTimer(), LONGEST_MS).unref()
    if (!this.#context.receives) this.#flush(number)
  }

  /** Asks NATS about events that should have come back, and did not. */
  #onTimer(): void {
    if (this.#isFlushing && performance.now() - this.#flushedAt > ANSWER_MS) {
      this.#context.reopen(new Error('NATS does not answer.'))
      return
    }
    let [isIdle, latest] = [true, 0]
    for (const { number, sentAt } of this.#context.queue.sent) {
      isIdle = false
      if (performance.now() - sentAt < LONGEST_MS) break
      latest = number
    }
    if (latest > 0) this.#flush(latest)
    if (!isIdle) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Waits for an answer of NATS: it comes after what was sent before. One is asked for at a time. */
  #flush(latest: number): void {
    this.#latest = latest
    if (this.#isFlushing || this.#nats === undefined) return
    this.#isFlushing = true
    this.#flushedAt = performance.now()
    this.#nats.flush().then(
      () => {
        this.#isFlushing = false
        this.#takenUpTo(latest)
        if (this.#latest > latest) this.#flush(this.#latest)
      },
      () => {
        // The connection was lost: what is on its way is sent again.
        this.#isFlushing = false
      },
    )
  }

  close(): void {
    clearInterval(this.#timer)
    this.#waiters.end(() => true)
    this.#unsubscribe()
  }

  #unsubscribe(): void {
    for (const subscription of this.#subscriptions) if (!subscription.isClosed()) subscription.unsubscribe()
    this.#subscriptions = []
  }
}

function refusedSubscription(subject: string, cause?: Error): Error {
  const message = `NATS ended the subscription of ${subject}. Let the user of the connection subscribe to it.`
  return new Error(message, { cause })
}
