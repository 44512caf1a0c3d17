import { setTimeout as sleep } from 'node:timers/promises'
import type { Health } from '../../lib/ports/health.ts'
import { Retry } from '../../lib/util/retry.ts'
import { ANSWER_MS, type RedisConnection } from './connection.ts'
import { type RawEntry, readStreams } from './entry.ts'
import type { EventStream } from './event-stream.ts'
import { type Inbox, WAKE } from './inbox.ts'

/** How long a read waits for something new, and how often it is checked that nothing was lost, in milliseconds. */
const BLOCK_MS = 1_000

/** How much one read should bring, in bytes of text, and the most entries of a stream that it brings. */
const READ_BYTES = 1_048_576
const MOST_ENTRIES = 100

/** The entries per millisecond from which on reads are collected, and the time between two of them then. */
const BUSY_RATE = 4
const REST_MS = 2

/** Another stream that is read along, such as a record of activity. */
export interface FollowedStream {
  readonly key: string
  /** The id after which to read. */
  readonly readAfter: string
  /** Takes entries, in order, after the events and commands of the same read. Must not throw. */
  take(entries: readonly RawEntry[]): void
}

/** What a {@link Reader} works with. */
export interface ReaderParts {
  /** What the app gave. The reader reads on a duplicate. */
  readonly connection: RedisConnection
  readonly eventsKey: string
  readonly events: EventStream
  readonly inbox: Inbox
  readonly health: Health
  /** Called each time a connection is there, before the first read on it. The first time it opens `events`. */
  readonly onConnected: (connection: RedisConnection) => Promise<void>
}

/**
 * Reads all streams of a node in one loop, on a connection of its own.
 *
 * ```
 * connect ──▶ onConnected ──▶ read, which waits up to 1 s ──▶ events and commands in their order ──▶ other streams ─┐
 *    ▲                          ▲                                                                                  │
 *    │ failed: after a while     └──────── once a second: is all there that was read? ◀──────────────────────────────┘
 * ```
 */
export class Reader {
  readonly #parts: ReaderParts
  readonly #followed = new Set<FollowedStream>()
  readonly #retry = new Retry()
  #connection: RedisConnection | undefined
  /** Whether a read has succeeded on the connection. The first one does not wait, so that it is known at once. */
  #hasRead = false
  #isClosed = false
  #checked = 0
  /** The mean length of an entry's text. */
  #entryBytes = READ_BYTES / MOST_ENTRIES
  /** The mean number of entries per millisecond. */
  #rate = 0
  #replied = 0

  constructor(parts: ReaderParts) {
    this.#parts = parts
  }

  /** Reads another stream, too, from now on. @returns a function that ends it */
  follow(stream: FollowedStream): () => void {
    this.#followed.add(stream)
    this.#wake()
    return () => this.#followed.delete(stream)
  }

  /** Ends a read that waits, by an entry without a message. When that fails, the read ends within a second by itself. */
  #wake(): void {
    const { connection, inbox } = this.#parts
    if (this.#connection === undefined || !connection.isReady) return
    connection.send(inbox.key, ['XADD', inbox.key, 'MAXLEN', '~', '10000', '*', WAKE, '']).catch(() => {})
  }

  /** Reads until {@link close}. Never rejects. */
  async run(): Promise<void> {
    const { health } = this.#parts
    while (!this.#isClosed) {
      try {
        await this.#connect()
        while (!this.#isClosed) await this.#step(this.#connection as RedisConnection)
      } catch (error) {
        if (!this.#isClosed) health.failed('reader', error)
      }
      // A new one, because this one may be dead without knowing it.
      this.#connection?.close()
      this.#connection = undefined
      if (!this.#isClosed) await this.#retry.wait()
    }
  }

  /** Takes nothing any more. Idempotent. */
  close(): void {
    this.#isClosed = true
    this.#retry.stop()
    this.#connection?.close()
  }

  async #connect(): Promise<void> {
    const connection = await this.#parts.connection.duplicate()
    this.#connection = connection
    if (this.#isClosed) return
    this.#hasRead = false
    await this.#parts.onConnected(connection)
    this.#checked = performance.now()
  }

  async #step(connection: RedisConnection): Promise<void> {
    const { events, eventsKey, inbox, health } = this.#parts
    const count = Math.max(1, Math.min(MOST_ENTRIES, Math.floor(READ_BYTES / this.#entryBytes)))
    const streams = await this.#read(connection, count)
    if (this.#isClosed) return
    if (!this.#hasRead) {
      // Not before: a reader that connects, and may not read, is away.
      this.#hasRead = true
      health.works('reader')
      this.#retry.reset()
    }
    const found = streams.get(eventsKey) ?? []
    inbox.add(streams.get(inbox.key) ?? [])
    await events.take(found, {
      connection,
      isOver: () => this.#isClosed,
      beforeEntry: () => this.#handOver(),
      beforeTell: () => this.#fillInbox(connection, count),
    })
    this.#handOver()
    for (const stream of this.#followed) {
      const entries = streams.get(stream.key)
      if (entries !== undefined && !this.#isClosed) stream.take(entries)
    }
    if (performance.now() - this.#checked >= BLOCK_MS && !this.#isClosed) {
      await events.check(connection)
      this.#checked = performance.now()
      await this.#trimInbox(connection)
    }
    if (inbox.untrimmed >= READ_BYTES) await this.#trimInbox(connection)
    await this.#rest(found)
  }

  async #read(connection: RedisConnection, count: number): Promise<Map<string, readonly RawEntry[]>> {
    const { events, eventsKey, inbox } = this.#parts
    const followed = Array.from(this.#followed)
    const keys = [eventsKey, inbox.key, ...followed.map(({ key }) => key)]
    const after = [events.readAfter, inbox.readAfter, ...followed.map(({ readAfter }) => readAfter)]
    const wait = this.#hasRead ? ['BLOCK', String(BLOCK_MS)] : []
    const args = ['COUNT', String(count), ...wait, 'STREAMS', ...keys, ...after]
    return readStreams(await connection.send(eventsKey, ['XREAD', ...args], BLOCK_MS + ANSWER_MS))
  }

  #handOver(): void {
    const { events, inbox } = this.#parts
    if (events.cursor !== undefined && !this.#isClosed) inbox.handOver(events.cursor)
  }

  /**
   * Reads what is in the inbox by now. A command to all must not come before earlier messages of its sender, but a read that
   * waited answers only the stream that ended its wait.
   */
  async #fillInbox(connection: RedisConnection, count: number): Promise<void> {
    const { inbox } = this.#parts
    for (let isFull = true; isFull; ) {
      const args = [inbox.key, `(${inbox.readAfter}`, '+', 'COUNT', String(count)]
      const reply = await connection.send(inbox.key, ['XRANGE', ...args])
      const entries = Array.isArray(reply) ? (reply as unknown as RawEntry[]) : []
      inbox.add(entries)
      isFull = entries.length >= count
    }
    this.#handOver()
  }

  /** Removes what was read: this node alone reads it. */
  async #trimInbox(connection: RedisConnection): Promise<void> {
    const { inbox } = this.#parts
    if (inbox.untrimmed === 0 || this.#isClosed) return
    await connection.send(inbox.key, ['XTRIM', inbox.key, 'MINID', '~', inbox.readAfter])
    inbox.untrimmed = 0
  }

  /** Lets entries collect while many come: one read for some of them costs Redis little more than one for each. */
  async #rest(entries: readonly RawEntry[]): Promise<void> {
    const now = performance.now()
    const rate = entries.length / Math.max(0.1, now - this.#replied)
    this.#replied = now
    this.#rate += (rate - this.#rate) / 8
    if (entries.length === 0) return
    let bytes = 0
    for (const [, fields] of entries) for (const field of fields) bytes += field.length
    this.#entryBytes += (bytes / entries.length - this.#entryBytes) / 4
    if (this.#rate > BUSY_RATE && entries.length < MOST_ENTRIES) await sleep(REST_MS)
  }
}
