import type { NatsConnection } from '@nats-io/transport-node'
import { Deferred } from '../../lib/util/deferred.ts'
import { patientTimeout } from '../../lib/util/patient-timeout.ts'
import { Waiters } from '../../lib/util/waiters.ts'
import type { Feed, FeedContext } from './feed.ts'
import type { NatsMessage } from './outgoing.ts'
import type { QueuedEvent } from './send-queue.ts'
import { Senders } from './senders.ts'
import { formatPosition, parsePosition, type StreamPlace } from './stream-position.ts'
import { StreamPublisher } from './stream-publisher.ts'
import { StreamReader } from './stream-reader.ts'
import { type StreamOptions, type StreamState, StreamStore } from './stream-store.ts'
import { StreamTimes } from './stream-times.ts'

/** The most positions that are remembered of those that are too old for {@link StreamTimes}. */
const MOST_VERIFIED = 1_024

const NS_PER_MS = 1_000_000

/** How far the events are from before this node. */
interface Restoring {
  came: number
  /** How many there are. Undefined until JetStream has told. */
  count: number | undefined
  readonly done: Deferred<void>
}

/**
 * Events by a stream of JetStream, which all nodes read in one order: a node goes on after the event that it had last.
 */
export class StreamFeed implements Feed {
  /** For the header `Nats-Msg-Id`. */
  readonly reserve = 128
  readonly #context: FeedContext
  readonly #store: StreamStore
  readonly #publisher: StreamPublisher
  readonly #reader: StreamReader
  #senders = new Senders()
  readonly #times = new StreamTimes()
  /** The times of older events, which JetStream has confirmed. */
  readonly #verified = new Map<number, number>()
  /** Who waits until this node has come to a sequence. */
  readonly #waiters = new Waiters<number>()
  /** The last event that was delivered to this node, or where it began. */
  #cursor: StreamPlace | undefined
  /** Where it began the last time. The time that it has of that may be the one of the next event. */
  #start = 0
  /** While events from before this node are restored. */
  #restoring: Restoring | undefined
  #isReady = false

  constructor(context: FeedContext, options: StreamOptions) {
    const { namespace, subjects, history, receives } = context
    this.#context = context
    this.#store = new StreamStore({ ...options, namespace, subjects, history, mayCreate: receives })
    this.#publisher = new StreamPublisher(context, () => this.#cursor?.sequence ?? 0)
    this.#reader = new StreamReader(this.#store, {
      take: (place, subject, payload) => this.#take(place, subject, payload),
      // What was to be restored, and did not come, has been removed from the stream meanwhile.
      onIdle: () => this.#restoring?.done.resolve(),
      onBroken: (error) => {
        this.#restoring?.done.reject(error)
        context.reopen(error)
      },
    })
  }

  position(): string | undefined {
    return this.#isReady && this.#cursor !== undefined ? formatPosition(this.#cursor) : undefined
  }

  compare(a: string, b: string): number | undefined {
    const [first, second] = [this.#sequenceOf(a), this.#sequenceOf(b)]
    return first === undefined || second === undefined ? undefined : first - second
  }

  /** The sequence of a position that is known to be of an event that this node has, or had. */
  #sequenceOf(position: string): number | undefined {
    const place = parsePosition(position)
    return place !== undefined && this.#isKnown(place) ? place.sequence : undefined
  }

  #isKnown({ sequence, time }: StreamPlace): boolean {
    const known = Number(time)
    return this.#times.get(sequence) === known || this.#verified.get(sequence) === known
  }

  async reach(position: string, timeout: number): Promise<void> {
    const place = parsePosition(position)
    if (place === undefined || this.#cursor === undefined) return
    const found = place.sequence > this.#cursor.sequence ? this.#comeTo(place, timeout) : this.#verify(place)
    const over = new Deferred<void>()
    const timer = patientTimeout(() => over.resolve(), timeout, undefined)
    await Promise.race([found.catch(() => {}), over.promise])
    clearTimeout(timer)
  }

  /** Waits for a sequence, unless the stream does not have it. */
  async #comeTo({ sequence }: StreamPlace, timeout: number): Promise<void> {
    const last = await this.#store.lastSequence()
    if (sequence > last || sequence <= (this.#cursor?.sequence ?? 0)) return
    await this.#waiters.wait(sequence, timeout)
  }

  /** Asks JetStream about an event that is older than what this node remembers. */
  async #verify(place: StreamPlace): Promise<void> {
    const { sequence, time } = place
    if (this.#isKnown(place)) return
    // JetStream would send all of the event. This node remembers its time, so the position is of another one.
    if (sequence > this.#start && this.#times.get(sequence) !== undefined) return
    // A page that came while the stream was empty has its beginning as position.
    const actual = sequence === 0 ? this.#store.startTime : await this.#store.timeOf(sequence)
    if (actual !== time) return
    this.#verified.set(sequence, Number(time))
    if (this.#verified.size <= MOST_VERIFIED) return
    const [oldest = 0] = this.#verified.keys()
    this.#verified.delete(oldest)
  }

  async open(nats: NatsConnection): Promise<void> {
    // Its cursor must not move on while the stream is asked where its end is.
    this.#reader.stop()
    const state = await this.#store.open(nats)
    this.#publisher.open(nats)
    if (!this.#context.receives) return
    if (this.#isReady && this.#cursor !== undefined) {
      if (!(await this.#hasStill(this.#cursor, state))) this.#begin(state.last)
      await this.#reader.start(nats, { sequence: this.#cursor.sequence + 1 })
      return
    }
    await this.#restore(nats, state.last)
    this.#isReady = true
  }

  /** Tells whether the stream still has the event that this node had last, and so all that came after it. */
  async #hasStill(cursor: StreamPlace, { last, start }: StreamState): Promise<boolean> {
    // There is no event with the number 0, and JetStream refuses to be asked about it.
    if (cursor.sequence === 0) return cursor.time === start.time
    if (cursor.sequence === last.sequence) return cursor.time === last.time
    return cursor.sequence < last.sequence && (await this.#store.timeOf(cursor.sequence)) === cursor.time
  }

  /** Reads the events of the time that the history stores. */
  async #restore(nats: NatsConnection, last: StreamPlace): Promise<void> {
    const restoring: Restoring = { came: 0, count: undefined, done: new Deferred() }
    this.#restoring = restoring
    this.#cursor = undefined
    this.#senders = new Senders()
    try {
      const count = await this.#reader.start(nats, { age: this.#context.history.age })
      restoring.count = count
      if (restoring.came < count) await restoring.done.promise
      if (this.#cursor === undefined) this.#begin(last)
    } finally {
      this.#restoring = undefined
    }
  }

  /** Begins at a place: what was before it is not complete. */
  #begin(place: StreamPlace): void {
    this.#cursor = place
    this.#start = place.sequence
    this.#verified.clear()
    this.#times.reset(place.sequence, Number(place.time))
    this.#context.begin(formatPosition(place))
  }

  #take(place: StreamPlace, subject: string, payload: Uint8Array): void {
    const { sequence, time } = place
    if (this.#cursor !== undefined && sequence <= this.#cursor.sequence) return
    // What is not there any more was not read by this node. Before the first event nobody knows what was.
    if (sequence !== (this.#cursor?.sequence ?? -1) + 1) this.#begin({ sequence: sequence - 1, time })
    this.#cursor = place
    this.#times.add(Number(time))
    this.#pass(subject, payload, place)
    this.#publisher.cameTo(sequence)
    this.#waiters.end((waited) => waited <= sequence)
    const restoring = this.#restoring
    if (restoring === undefined) return
    restoring.came += 1
    if (restoring.came === restoring.count) restoring.done.resolve()
  }

  #pass(subject: string, payload: Uint8Array, place: StreamPlace): void {
    const { subjects, read, restore, deliver } = this.#context
    // A stream that the app has made may have others, too.
    if (subject !== subjects.events && subject !== subjects.sessions) return
    const incoming = read(subject, payload)
    const isOurs = incoming === undefined ? subject === subjects.sessions : incoming.isForged === true
    // Signed by a secret that is lost: nobody knows any more for whom it was. What is live may be forged, this is told.
    if (isOurs && !this.#isReady) this.#begin(place)
    if (incoming === undefined || (isOurs && !this.#isReady)) return
    const { envelope, origin } = incoming
    // JetStream knows what was published twice for some minutes only.
    if (origin !== undefined && this.#senders.note(origin.node, origin.number) === 'again') return
    const position = formatPosition(place)
    const age = Date.now() - Number(place.time) / NS_PER_MS
    if (this.#isReady) deliver(envelope, position)
    else restore(envelope, position, Math.max(0, age))
  }

  lost(): void {
    this.#reader.stop()
    // What is left will not come: it is read again, from the first one on.
    this.#restoring?.done.reject(new Error('The connection to NATS is lost.'))
  }

  send(_nats: NatsConnection, item: QueuedEvent, messages: readonly NatsMessage[]): void {
    this.#publisher.send(item, messages)
  }

  close(): void {
    this.#reader.stop()
    this.#publisher.close()
    this.#waiters.end(() => true)
  }
}
