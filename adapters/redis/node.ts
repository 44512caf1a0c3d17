import { newSecret } from '../../lib/ids.ts'
import type { Command } from '../../lib/ports/controller.ts'
import { Health } from '../../lib/ports/health.ts'
import type { PortStatus } from '../../lib/ports/status.ts'
import { Deferred } from '../../lib/util/deferred.ts'
import { Retry } from '../../lib/util/retry.ts'
import { type RedisConnection, withDeadline } from './connection.ts'
import { type EventConsumer, EventStream } from './event-stream.ts'
import { roomArguments } from './history-room.ts'
import { Inbox, type TakeMessage } from './inbox.ts'
import { Keys } from './keys.ts'
import { Lease } from './lease.ts'
import { NumberedCalls } from './numbered-calls.ts'
import type { OutgoingBatch } from './outgoing-batch.ts'
import { OwnDeliveries } from './own-deliveries.ts'
import type { Place } from './position.ts'
import { Reader } from './reader.ts'
import { explain } from './refusals.ts'
import { StoreClock } from './store-clock.ts'
import { Writer } from './writer.ts'

/** How long leaving may wait for Redis, in milliseconds. */
const CLOSE_MS = 2_000

/** What a broker does with events. See BrokerHandler. */
export type EventHandler = Pick<EventConsumer, 'begin' | 'restore' | 'deliver'>

/** What a {@link RedisNode} is made with. */
export interface NodeSettings {
  readonly connection: RedisConnection
  readonly namespace: string
  readonly id: string
  /** False: nothing is read, and nothing reaches the node. */
  readonly receives: boolean
  /** The length of the lease, in milliseconds. */
  readonly lease: number
  /** Settles when all nodes are open that joined so far; undefined when they are. */
  readonly allOpen: () => Promise<unknown> | undefined
  /** Called with the policy of Redis for want of memory. */
  readonly onPolicy: (policy: string) => void
  /** Called when the last port leaves: the node takes no other one. */
  readonly onClosing: () => void
  /** Called when nothing of the node is left. */
  readonly onClosed: () => void
}

/**
 * What the ports of one Comet share: keys, calls, reader, lease, and whether Redis can be reached.
 *
 * The ports attach in the turn of the event loop in which the node is made, in any order. It starts after it, and leaves
 * with the last of them.
 */
export class RedisNode {
  readonly id: string
  readonly receives: boolean
  /** For commands that do not block. */
  readonly connection: RedisConnection
  readonly keys: Keys
  /** Names this life of the node, and no other one. */
  readonly caller: string
  readonly clock = new StoreClock()
  readonly health = new Health((status) => this.#onStatus(status), explain)
  readonly lease: Lease
  readonly writer: Writer
  readonly reader: Reader
  readonly events: EventStream
  /** What the broker's node stores. Set before the node starts. */
  readonly history = { age: 0, bytes: 0 }
  /** Who takes events, commands to all, and messages. Set before the node starts; undefined once its port has left. */
  eventHandler: EventHandler | undefined
  takeCommand: ((command: Command) => void) | undefined
  takeMessage: TakeMessage | undefined
  /** Called when the cursor moved, past a whole entry. */
  onProgress: ((cursor: Place) => void) | undefined
  /** Whether other nodes must be able to reach this one. Set before the node starts. */
  needsLease = false
  readonly #settings: NodeSettings
  readonly #calls: NumberedCalls
  readonly #ownDeliveries = new OwnDeliveries()
  readonly #opened = new Deferred<void>()
  readonly #restored = new Deferred<void>()
  readonly #statusListeners = new Set<(status: PortStatus) => void>()
  readonly #retry = new Retry()
  #ports = 0
  #isOpen = false
  #isReady = false
  #isClosed = false

  constructor(settings: NodeSettings) {
    const { connection, namespace, id, receives, lease } = settings
    this.#settings = settings
    this.id = id
    this.receives = receives
    this.connection = connection
    this.keys = new Keys(namespace)
    this.caller = `${id}.${newSecret().slice(0, 8)}`
    const { keys, clock, health } = this
    this.lease = new Lease(connection, keys, id, clock, health, lease)
    this.#calls = new NumberedCalls(connection, keys, this.caller, 'order', health)
    this.writer = new Writer(this.#calls, keys, {
      room: () => roomArguments(this.history),
      gate: () => this.#gate(),
      onTaken: (batch, place) => this.#onTaken(batch, place),
    })
    this.events = new EventStream(keys, this.#consumer(), clock, this.history, receives)
    this.reader = new Reader({
      connection,
      eventsKey: keys.events,
      events: this.events,
      inbox: new Inbox(keys.inbox(id), (message, deadline) => this.takeMessage?.(message, deadline)),
      health,
      onConnected: (connected) => this.#onConnected(connected),
    })
    queueMicrotask(() => this.#start())
  }

  /** Settles when Redis was reached. */
  get opened(): Promise<void> {
    return this.#opened.promise
  }

  /** Whether Redis was reached, and all that was in the stream is restored. */
  get isReady(): boolean {
    return this.#isReady
  }

  /** Settles when {@link isReady}. */
  get ready(): Promise<void> {
    return this.#restored.promise
  }

  /**
   * Adds a port.
   *
   * @param onStatus told when Redis goes away and is back. Must not throw
   * @returns a function that removes it, and settles when nothing of it is left; idempotent
   */
  attach(onStatus: (status: PortStatus) => void): () => Promise<void> {
    this.#ports += 1
    this.#statusListeners.add(onStatus)
    let closing: Promise<void> | undefined
    return () => {
      closing ??= this.#detach(onStatus)
      return closing
    }
  }

  async #detach(onStatus: (status: PortStatus) => void): Promise<void> {
    this.#statusListeners.delete(onStatus)
    this.#ports -= 1
    if (this.#ports === 0) await this.#close()
  }

  async #close(): Promise<void> {
    this.#isClosed = true
    this.#settings.onClosing()
    this.#retry.stop()
    if (this.#isOpen && this.health.isUp) await withDeadline(this.writer.idle(), CLOSE_MS, '').catch(() => {})
    this.reader.close()
    this.writer.close()
    this.#ownDeliveries.close()
    this.#opened.resolve()
    await withDeadline(Promise.all([this.#calls.close(), this.lease.end()]), CLOSE_MS, '').catch(() => {})
    this.health.close()
    this.#settings.onClosed()
  }

  async #start(): Promise<void> {
    if (this.#isClosed) return
    if (this.receives) {
      await this.reader.run()
      return
    }
    while (!this.#isClosed && !this.#isOpen) {
      try {
        await this.#open(this.connection)
        this.health.works('open')
      } catch (error) {
        this.health.failed('open', error)
        await this.#retry.wait()
      }
    }
  }

  async #onConnected(connection: RedisConnection): Promise<void> {
    if (!this.#isOpen) await this.#open(connection)
    else {
      await this.events.check(connection)
      this.#renewLease()
    }
  }

  async #open(connection: RedisConnection): Promise<void> {
    if (this.needsLease) await this.lease.start()
    // Last, because it begins to tell the broker's node.
    const policy = await this.events.open(connection)
    if (this.#isClosed) return
    this.#isOpen = true
    this.#opened.resolve()
    if (!this.receives) this.#onReady()
    this.#settings.onPolicy(policy)
  }

  #gate(): Promise<unknown> | undefined {
    const others = this.#settings.allOpen()
    if (this.#isOpen) return others
    return Promise.all([this.opened, others])
  }

  #consumer(): EventConsumer {
    return {
      begin: (position) => {
        this.#renewLease()
        this.eventHandler?.begin(position)
      },
      onReady: () => this.#onReady(),
      restore: (delivery, age) => this.eventHandler?.restore(delivery, age),
      deliver: (delivery) => this.eventHandler?.deliver(delivery),
      tell: (command) => this.takeCommand?.(command),
      onProgress: (cursor) => {
        this.#ownDeliveries.moved(cursor)
        this.onProgress?.(cursor)
      },
    }
  }

  /** Redis may have lost it. */
  #renewLease(): void {
    if (this.needsLease && this.#isOpen) this.lease.renewNow()
  }

  #onReady(): void {
    this.#isReady = true
    this.#restored.resolve()
  }

  #onTaken(batch: OutgoingBatch, place: Place): void {
    if (!this.receives) this.writer.settle(batch)
    else this.#ownDeliveries.add(place, () => this.writer.settle(batch))
  }

  #onStatus(status: PortStatus): void {
    this.writer.setUp(status.up)
    for (const listener of this.#statusListeners) listener(status)
  }
}
