import type { NatsConnection, Subscription } from '@nats-io/transport-node'
import { newSecret } from '../../lib/ids.ts'
import type { Feed, FeedContext } from './feed.ts'
import type { Origin } from './incoming.ts'
import type { OutboxItem } from './outbox.ts'
import type { NatsMessage } from './outgoing.ts'
import { Senders } from './senders.ts'

/** How long this node waits for its own event to come back, in milliseconds. */
const LONGEST_MS = 1_000

const POSITION = /^([\w-]+)\.(\d{1,15})$/

/**
 * Events by subjects alone. NATS keeps nothing, and each node has an order of its own: its positions are the node's, and
 * what is published while it is not connected is lost to it, which it tells as a gap.
 */
export class CoreFeed implements Feed {
  readonly reserve = 0
  readonly #context: FeedContext
  readonly #epoch = newSecret().slice(0, 8)
  readonly #senders = new Senders()
  #sequence = 0
  #nats: NatsConnection | undefined
  /** Whether NATS has been reached once. Until then this node does not count, and is told nothing. */
  #isReady = false
  /** Whether all has come since {@link FeedContext.begin}, as far as this node knows. */
  #isComplete = false
  #subscriptions: readonly Subscription[] = []
  #isFlushing = false
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
    return `${this.#epoch}.${this.#sequence}`
  }

  compare(a: string, b: string): number | undefined {
    const [first, second] = [this.#sequenceOf(a), this.#sequenceOf(b)]
    return first === undefined || second === undefined ? undefined : first - second
  }

  /** No other node has positions of this one's order. */
  async reach(): Promise<void> {}

  #sequenceOf(position: string): number | undefined {
    const [, epoch, sequence] = POSITION.exec(position) ?? []
    return epoch === this.#epoch && Number(sequence) <= this.#sequence ? Number(sequence) : undefined
  }

  async open(nats: NatsConnection): Promise<void> {
    this.#nats = nats
    this.#isComplete = false
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
    if (closed !== undefined) throw new Error(`NATS ended the subscription of ${closed.getSubject()}.`)
    this.#isReady = true
    this.#senders.forgive()
    if (this.#context.receives) this.#begin()
  }

  /** Begins at a new position: what was published between the last event and the next may be lost. */
  #begin(): void {
    this.#isComplete = true
    this.#sequence += 1
    this.#context.begin(this.#position)
  }

  #subscribe(nats: NatsConnection, subject: string): Subscription {
    return nats.subscribe(subject, {
      callback: (error, message) => {
        if (error) this.#context.reopen(error)
        else this.#take(message.subject, message.data)
      },
    })
  }

  #take(subject: string, payload: Uint8Array): void {
    const incoming = this.#context.read(subject, payload)
    if (incoming === undefined || !this.#isReady) return
    const { envelope, origin } = incoming
    if (origin !== undefined) {
      const arrival = this.#senders.note(origin.node, origin.number)
      if (arrival === 'again') {
        this.#returned(origin)
        return
      }
      // NATS keeps the order of a sender, so what is missing will not come. An outage tells it when it is over.
      if (arrival === 'after-missing' && this.#isComplete) this.#begin()
    }
    this.#sequence += 1
    this.#context.deliver(envelope, this.#position)
    if (origin !== undefined) this.#returned(origin)
  }

  /** An event came back to the node that has published it, so NATS has it and all before it. */
  #returned({ node, number }: Origin): void {
    if (node === this.#context.origin) this.#takenUpTo(number)
  }

  #takenUpTo(number: number): void {
    const { outbox } = this.#context
    for (const item of outbox.sent) {
      if (item.number > number) return
      outbox.taken(item)
      outbox.settle(item)
    }
  }

  send(nats: NatsConnection, { number }: OutboxItem, messages: readonly NatsMessage[]): void {
    for (const { subject, payload } of messages) nats.publish(subject, payload)
    if (this.#context.receives) this.#timer ??= setInterval(() => this.#onTimer(), LONGEST_MS).unref()
    else this.#flush(number)
  }

  /** Asks NATS about events that should have come back, and did not. */
  #onTimer(): void {
    let [isIdle, latest] = [true, 0]
    for (const { number, sentAt } of this.#context.outbox.sent) {
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
    this.#unsubscribe()
  }

  #unsubscribe(): void {
    for (const subscription of this.#subscriptions) if (!subscription.isClosed()) subscription.unsubscribe()
    this.#subscriptions = []
  }
}
