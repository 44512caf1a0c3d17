import type { NatsConnection } from '@nats-io/transport-node'
import { CometError, isCometError } from '../../lib/errors.ts'
import { newSecret } from '../../lib/ids.ts'
import type { BrokerConnection, BrokerHandler, Envelope } from '../../lib/ports/broker.ts'
import { Health } from '../../lib/ports/health.ts'
import type { UserActivityEvent } from '../../lib/protocol/user-activity-event.ts'
import { atMost } from '../../lib/util/at-most.ts'
import { Deferred } from '../../lib/util/deferred.ts'
import { Retry } from '../../lib/util/retry.ts'
import { ActivityTopic } from './activity-topic.ts'
import type { Feed, FeedContext } from './feed.ts'
import { type Incoming, IncomingReader } from './incoming.ts'
import type { Link, LinkUser } from './link.ts'
import { leastBytesOf, Outgoing } from './outgoing.ts'
import { Secrets } from './secrets.ts'
import { MOST_BYTES, type QueuedEvent, SendQueue } from './send-queue.ts'
import { type Subjects, subjectsOf } from './subjects.ts'
import { Unreadable } from './unreadable.ts'

/** How long leaving waits for what was published, in milliseconds. */
const CLOSE_MS = 2_000

/** The largest message that NATS takes if nobody has set its `max_payload`, in bytes. */
const MAX_PAYLOAD = 1_048_576

/** The length of the name of a node's life: 72 random bits. */
const ORIGIN_LENGTH = 12

/** What a {@link NatsNode} is made with. */
export interface NatsNodeSettings {
  /** Signs in place of the secret of presence. */
  readonly secret: string | undefined
  makeFeed(context: FeedContext): Feed
}

/** A node's connection to the broker. */
export class NatsNode implements BrokerConnection, LinkUser {
  readonly #handler: BrokerHandler
  /** Names this life of the node, whose numbers begin with 1. */
  readonly #origin: string
  readonly #subjects: Subjects
  readonly #secrets: Secrets
  readonly #unreadable: Unreadable
  readonly #incoming: IncomingReader
  readonly #queue: SendQueue
  readonly #feed: Feed
  readonly #activity: ActivityTopic
  readonly #health: Health
  readonly #retry = new Retry()
  readonly #ready = new Deferred<void>()
  #leave: (() => Promise<void>) | undefined
  #nats: NatsConnection | undefined
  #maxPayload = MAX_PAYLOAD
  #isOpening = false
  /** Counts what made it necessary to open the feed again: what began before is not worth anything then. */
  #opening = 0
  #isClosed = false
  #closing: Promise<void> | undefined

  /** @throws CometError INVALID_OPTION for a namespace that cannot be part of a subject */
  constructor(handler: BrokerHandler, link: Link, { secret, makeFeed }: NatsNodeSettings) {
    this.#handler = handler
    this.#origin = newSecret().slice(0, ORIGIN_LENGTH)
    this.#subjects = subjectsOf(handler.namespace)
    this.#secrets = new Secrets(secret === undefined ? () => handler.secret() : async () => secret)
    this.#unreadable = new Unreadable((error) => handler.onError(error))
    this.#incoming = new IncomingReader(this.#subjects, this.#secrets, (subject) =>
      this.#unreadable.count(subject, 'A header of Comet is not signed by this namespace, and was ignored.'),
    )
    this.#queue = new SendQueue((item) => this.#send(item))
    this.#health = new Health((status) => {
      this.#queue.setUp(status.up)
      handler.onStatus(status)
    })
    this.#activity = new ActivityTopic(this.#subjects.activity)
    this.#feed = makeFeed(this.#context())
    // Not at once: the node is not ready to be called while it joins.
    queueMicrotask(() => {
      if (!this.#isClosed) this.#leave = link.use(this)
    })
  }

  #context(): FeedContext {
    const { namespace, receives, history } = this.#handler
    const handler = this.#handler
    return {
      origin: this.#origin,
      namespace,
      receives,
      history,
      subjects: this.#subjects,
      queue: this.#queue,
      read: (subject, payload) => this.#read(subject, payload),
      begin: (position) => {
        if (!this.#isClosed) handler.begin(position)
      },
      restore: (envelope, position, age) => {
        if (!this.#isClosed) handler.restore({ position, ...envelope }, age)
      },
      deliver: (envelope, position) => {
        if (!this.#isClosed) handler.deliver({ position, ...envelope })
      },
      reopen: (error) => this.#reopen(error),
    }
  }

  get ready(): Promise<void> {
    return this.#ready.promise
  }

  position(): string | undefined {
    return this.#feed.position()
  }

  compare(a: string, b: string): number | undefined {
    return this.#feed.compare(a, b)
  }

  async reach(position: string, timeout: number): Promise<void> {
    if (!this.#isClosed) await this.#feed.reach(position, timeout)
  }

  async publish(envelope: Envelope): Promise<void> {
    if (this.#isClosed) throw closed()
    // Before it is encoded for each target, which may take seconds.
    const least = leastBytesOf(envelope)
    if (least.largest > this.#maxPayload) throw this.#tooLarge(least.largest)
    if (least.all > MOST_BYTES) throw tooManyTargets(least.all)
    const sender = { origin: this.#origin, server: this.#handler.server }
    const outgoing = new Outgoing(envelope, this.#subjects, sender)
    this.#checkSize(outgoing)
    if (outgoing.bytes > MOST_BYTES) throw tooManyTargets(outgoing.bytes)
    await this.#queue.publish(outgoing)
  }

  published(): Promise<void> | undefined {
    return this.#queue.settled()
  }

  async activity(events: readonly UserActivityEvent[]): Promise<void> {
    await this.#activity.publish(events)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#isClosed = true
    if (this.#nats !== undefined && this.#health.isUp) await atMost(CLOSE_MS, this.published())
    this.#feed.close()
    this.#queue.close()
    this.#activity.close()
    this.#secrets.close()
    this.#unreadable.close()
    this.#health.close()
    this.#retry.stop()
    this.#ready.reject(closed())
    await this.#leave?.()
  }

  onConnected(nats: NatsConnection): void {
    this.#nats = nats
    this.#maxPayload = nats.info?.max_payload ?? this.#maxPayload
    this.#retry.reset()
    this.#health.works('connection')
    this.#activity.connected(nats)
    this.#open()
  }

  onLost(error: Error): void {
    this.#nats = undefined
    this.#opening += 1
    this.#feed.lost()
    this.#queue.pause()
    this.#activity.connected(undefined)
    this.#health.failed('connection', error)
  }

  onRefused(subject: string, cause: Error): void {
    this.#activity.refused(subject, cause)
    for (const item of this.#queue.sent) {
      if (item.outgoing.subject !== subject) continue
      const message = `The user of the connection to NATS may not publish on ${subject}. Allow it.`
      this.#queue.refuse(item, new CometError('UNAVAILABLE', message, { cause }))
    }
  }

  #reopen(error: Error): void {
    this.#opening += 1
    this.#queue.pause()
    this.#health.failed('feed', error)
    this.#open(true)
  }

  /** Opens the feed, and again until it works. @param isAgain whether the same connection had a feed that worked */
  async #open(isAgain = false): Promise<void> {
    if (this.#isOpening) return
    this.#isOpening = true
    // What fails each time as soon as it is open must not keep NATS and this node busy.
    if (isAgain) await this.#retry.wait()
    for (let nats = this.#nats; nats !== undefined && !this.#isClosed; nats = this.#nats) {
      const opening = this.#opening
      try {
        await this.#secrets.known()
        await this.#feed.open(nats)
        if (opening === this.#opening) {
          this.#onOpen()
          break
        }
      } catch (error) {
        if (opening === this.#opening && !this.#isClosed) this.#health.failed('feed', error)
      }
      await this.#retry.wait()
    }
    this.#isOpening = false
  }

  #onOpen(): void {
    this.#health.works('feed')
    this.#queue.open()
    this.#ready.resolve()
  }

  #read(subject: string, payload: Uint8Array): Incoming | undefined {
    try {
      return this.#incoming.read(subject, payload)
    } catch (error) {
      const problem = isCometError(error) ? error.message : 'It cannot be read.'
      this.#unreadable.count(subject, problem)
      return undefined
    }
  }

  #send(item: QueuedEvent): void {
    const nats = this.#nats
    if (nats === undefined) return
    try {
      this.#checkSize(item.outgoing)
      this.#feed.send(nats, item, item.outgoing.messages(item.number, this.#secrets.signer))
    } catch (error) {
      // That it is closed is told as a loss of the connection, too.
      if (nats.isClosed()) return
      // Not at once: the queue is sending.
      queueMicrotask(() => this.#queue.refuse(item, refusedBy(error)))
    }
  }

  #checkSize({ largest }: Outgoing): void {
    if (largest > this.#maxPayload - this.#feed.reserve) throw this.#tooLarge(largest)
  }

  #tooLarge(bytes: number): CometError {
    return new CometError(
      'EVENT_TOO_LARGE',
      `NATS takes messages of at most ${this.#maxPayload} bytes (its max_payload), and this event makes one of ${bytes}. Publish less at once, or raise max_payload.`,
    )
  }
}

function tooManyTargets(bytes: number): CometError {
  return new CometError(
    'EVENT_TOO_LARGE',
    `This event makes messages of ${bytes} bytes for all of its targets, and at most ${MOST_BYTES} may wait for NATS. Publish it to fewer at once.`,
  )
}

function refusedBy(cause: unknown): CometError {
  if (isCometError(cause)) return cause
  return new CometError('UNAVAILABLE', 'NATS refused what was published.', { cause })
}

function closed(): CometError {
  return new CometError('SHUTTING_DOWN', 'The Comet is closed.')
}
