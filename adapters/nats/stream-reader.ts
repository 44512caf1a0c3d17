import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node'
import { inboxOf } from './inbox.ts'
import type { StreamPlace } from './stream-position.ts'
import { type ConsumerStart, HEARTBEAT_MS, type StreamStore } from './stream-store.ts'

/** After how many checks without a word JetStream counts as silent. What stands still is this process, maybe. */
const MOST_SILENT = 3

/** The code of a message that is none: JetStream is there, or asks whether this node keeps up. */
const CONTROL = 100

/** What a {@link StreamReader} calls. It must not throw. */
export interface StreamConsumer {
  /** Takes what is in the stream, in its order. */
  take(place: StreamPlace, subject: string, payload: Uint8Array): void
  /** There is nothing more in the stream for now. Not told at once. */
  onIdle(): void
  /** Nothing comes any more, or not all: begin again after what was taken last. */
  onBroken(error: Error): void
}

/**
 * Reads a stream by a consumer that JetStream forgets with its reader, and that acknowledges nothing: what is missing
 * shows in the numbers of what it delivers, and is read again by another one.
 */
export class StreamReader {
  readonly #store: StreamStore
  readonly #consumer: StreamConsumer
  #nats: NatsConnection | undefined
  #subscription: Subscription | undefined
  /** The number of the last message that the consumer delivered. */
  #delivered = 0
  #silent = 0
  #timer: NodeJS.Timeout | undefined

  constructor(store: StreamStore, consumer: StreamConsumer) {
    this.#store = store
    this.#consumer = consumer
  }

  /** Reads from a place on, in place of what was read before. @returns how many messages are there already */
  async start(nats: NatsConnection, start: ConsumerStart): Promise<number> {
    this.stop()
    const inbox = inboxOf(nats)
    this.#nats = nats
    this.#delivered = 0
    this.#silent = 0
    const subscription = nats.subscribe(inbox, {
      callback: (error, message) => {
        if (this.#subscription !== subscription) return
        if (error) this.#break(error)
        else this.#onMessage(message)
      },
    })
    this.#subscription = subscription
    this.#timer = setInterval(() => this.#onTimer(), HEARTBEAT_MS).unref()
    return await this.#store.consume(inbox, start)
  }

  /** Takes nothing any more. Idempotent. */
  stop(): void {
    clearInterval(this.#timer)
    const subscription = this.#subscription
    this.#subscription = undefined
    if (subscription !== undefined && !subscription.isClosed()) subscription.unsubscribe()
  }

  #onMessage(message: Msg): void {
    const { subject, data, reply = '' } = message
    this.#silent = 0
    // What is in the stream may have any headers, also those of JetStream itself. Its reply subject tells it apart.
    const place = placeOf(reply)
    if (place === undefined) {
      const headers = data.length === 0 ? message.headers : undefined
      if (headers !== undefined && headers.code >= CONTROL) this.#onControl(reply, headers)
      return
    }
    if (place.delivered !== this.#delivered + 1) {
      this.#break(new Error('JetStream left out what it should have delivered.'))
      return
    }
    this.#delivered = place.delivered
    this.#consumer.take(place, subject, data)
  }

  #onControl(reply: string, headers: NonNullable<Msg['headers']>): void {
    if (headers.code !== CONTROL) {
      this.#break(new Error(`JetStream ended the consumer: ${headers.description}`))
      return
    }
    const last = headers.get('Nats-Last-Consumer')
    if (last !== '' && Number(last) > this.#delivered) {
      this.#break(new Error('JetStream delivered what did not come.'))
      return
    }
    // It asks whether this node has come so far: until the answer it may wait with more.
    const questions = [reply, headers.get('Nats-Consumer-Stalled')].filter((question) => question !== '')
    for (const question of questions) this.#nats?.publish(question)
    if (last !== '' && questions.length === 0) this.#consumer.onIdle()
  }

  #onTimer(): void {
    this.#silent += 1
    if (this.#silent >= MOST_SILENT) this.#break(new Error('JetStream does not say a word.'))
  }

  #break(error: Error): void {
    this.stop()
    this.#consumer.onBroken(error)
  }
}

/**
 * Reads where a message is in its stream from the subject that would acknowledge it:
 * `$JS.ACK.<stream>.<consumer>.<tries>.<sequence>.<delivered>.<time>.<pending>`, with two more parts before the stream,
 * and one at the end, in later versions.
 */
function placeOf(reply: string): (StreamPlace & { readonly delivered: number }) | undefined {
  const parts = reply.split('.')
  if (parts[0] !== '$JS' || parts[1] !== 'ACK') return undefined
  const [sequence, delivered, time = ''] = parts.slice(parts.length === 9 ? 5 : 7)
  return { sequence: Number(sequence), delivered: Number(delivered), time }
}
