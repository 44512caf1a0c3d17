import { setImmediate as nextTurn } from 'node:timers/promises'
import { debug } from '../../lib/diagnostics.ts'
import type { Delivery } from '../../lib/ports/broker.ts'
import type { Command } from '../../lib/ports/controller.ts'
import type { RedisConnection, Reply } from './connection.ts'
import { type Entry, type Item, isEvent, isTold, type RawEntry, readEntry, readItems } from './entry.ts'
import { type HistorySettings, ownArguments, roomArguments } from './history-room.ts'
import { KEY_TTL_MS, type Keys } from './keys.ts'
import { CHECK, newEpoch, OPEN, ORDER_KEYS } from './order-scripts.ts'
import { comparePlaces, formatPosition, idOf, type Place, parseLink } from './position.ts'
import type { StoreClock } from './store-clock.ts'

/** The longest time that entries are handled before other callbacks have their turn, in milliseconds. */
const TURN_MS = 5

/** How often the keys' time to live is renewed, in milliseconds. */
const TOUCH_MS = 600_000

/** Takes what the stream has, in its order. None of its methods throws. */
export interface EventConsumer {
  begin(position: string): void
  /** Called once, when all that was there is restored. */
  onReady(): void
  restore(delivery: Delivery, age: number): void
  deliver(delivery: Delivery): void
  tell(command: Command): void
  /** The cursor moved, past a whole entry. */
  onProgress(cursor: Place): void
}

/** What {@link EventStream.take} needs of its caller. */
export interface TakeContext {
  readonly connection: RedisConnection
  /** Whether no more entries should be taken. */
  isOver(): boolean
  beforeEntry(): void
  /** Called before an entry with a command to all. */
  beforeTell(): Promise<void>
}

/**
 * The order as this node reads it.
 *
 * ```
 * open ──▶ the entries that were there: restore ──▶ the entries after them: deliver
 *            each entry names the one before it. Another one than the last that was read?
 *              trimmed before it was read ──▶ begin, and on with the entry
 *              lost ──▶ a new epoch, whose marker every node reads ──▶ begin, and on with the marker
 * ```
 */
export class EventStream {
  readonly #keys: readonly string[]
  readonly #consumer: EventConsumer
  readonly #clock: StoreClock
  readonly #history: HistorySettings
  readonly #receives: boolean
  #cursor: Place | undefined
  /** The call that wrote the entry at the cursor. Empty: unknown. */
  #writer = ''
  /** The entry after which is read. Other than the cursor's while entries are passed over. */
  #readAfter = '0-0'
  /** What was there when the stream was opened ends here. Undefined once it is restored. */
  #restoreUpTo: Place | undefined
  /** The epoch that Redis has. Another one than the cursor's until its marker is read. */
  #epoch = ''
  /** Whether an entry did not fit: those of its epoch are passed over until it is clear what happened. */
  #isBroken = false
  #touched = Number.NEGATIVE_INFINITY

  /** @param receives whether entries are read; if not, the order is only opened */
  constructor(
    keys: Keys,
    consumer: EventConsumer,
    clock: StoreClock,
    history: HistorySettings,
    receives: boolean,
  ) {
    this.#receives = receives
    this.#keys = ORDER_KEYS.map((name) => keys[name])
    this.#consumer = consumer
    this.#clock = clock
    this.#history = history
  }

  /** The last event that was read, or where the stream began for this node. Undefined until it is open. */
  get cursor(): Place | undefined {
    return this.#cursor
  }

  /** The id after which to read. */
  get readAfter(): string {
    return this.#readAfter
  }

  /**
   * Finds the order, or begins it.
   *
   * @returns the policy of Redis for want of memory; empty when it did not tell
   */
  async open(connection: RedisConnection): Promise<string> {
    const { age, bytes } = this.#history
    const asked = performance.now()
    const args = [
      newEpoch(),
      String(KEY_TTL_MS),
      '1',
      ...ownArguments(this.#history),
      ...roomArguments(this.#history),
    ]
    const [epoch, last, time, policy, floor] = textsOf(await OPEN.run(connection, this.#keys, args))
    this.#clock.observe(Number(time), asked)
    const end = parseLink(epoch ?? '', last ?? '')
    const start = age > 0 && bytes > 0 ? parseLink(epoch ?? '', floor ?? '') : end
    if (end === undefined || start === undefined) throw new Error('The order in Redis is damaged.')
    this.#touched = asked
    if (!this.#receives) return policy ?? ''
    this.#restoreUpTo = end
    this.#begin(start)
    return policy ?? ''
  }

  /**
   * Makes sure that what was read is still there. To be called when it may not be: after a reconnection, and now and
   * then.
   *
   * @param isLost whether entries are known to be lost
   * @returns whether entries are read from an earlier place on
   */
  async check(connection: RedisConnection, isLost = false): Promise<boolean> {
    const cursor = this.#cursor as Place
    const asked = performance.now()
    const touches = asked - this.#touched >= TOUCH_MS
    const known = [cursor.epoch, idOf(cursor), this.#writer, isLost ? '1' : '0']
    const args = [
      newEpoch(),
      String(KEY_TTL_MS),
      touches ? '1' : '0',
      ...roomArguments(this.#history),
      ...known,
    ]
    const reply = textsOf(await CHECK.run(connection, this.#keys, args))
    const [epoch = '', last = '', first, time, missed] = reply
    this.#clock.observe(Number(time), asked)
    if (touches) this.#touched = asked
    const end = parseLink(epoch, last)
    const marker = parseLink(epoch, `${first}.0`)
    if (end === undefined || marker === undefined) throw new Error('The order in Redis is damaged.')
    if (epoch !== cursor.epoch) return this.#goBackTo(marker)
    if (missed === '1') this.#begin(end)
    return false
  }

  /** Takes entries, in order. */
  async take(entries: readonly RawEntry[], context: TakeContext): Promise<void> {
    let turn = performance.now()
    for (const raw of entries) {
      context.beforeEntry()
      if (performance.now() - turn > TURN_MS) {
        await nextTurn()
        turn = performance.now()
      }
      if (context.isOver()) return
      const entry = readEntry(raw)
      if (entry === undefined) debug('entry %s of the stream of events is malformed', raw[0])
      else {
        const wentBack = this.#fits(entry) ? false : await this.#begins(entry, context.connection)
        if (wentBack) return
        if (this.#fits(entry)) {
          const items = readItems(entry.data)
          if (items === undefined) debug('entry %s of the stream of events is malformed', raw[0])
          else if (items.some(isTold)) await context.beforeTell()
          if (context.isOver()) return
          this.#takeItems(entry, items ?? [])
        }
      }
      this.#readAfter = raw[0]
    }
  }

  /** Tells whether an entry is the next one. */
  #fits({ previous, data }: Entry): boolean {
    const cursor = this.#cursor as Place
    return data !== '' && previous.epoch === cursor.epoch && comparePlaces(previous, cursor) === 0
  }

  /**
   * Begins anew before an entry, or after it if it is a marker, unless it must be passed over.
   *
   * @returns whether entries are read from an earlier place on
   */
  async #begins({ place, previous, data }: Entry, connection: RedisConnection): Promise<boolean> {
    const cursor = this.#cursor as Place
    if (place.epoch !== cursor.epoch) {
      this.#begin(data === '' ? place : previous)
      return false
    }
    // A marker of this epoch was read already.
    if (this.#isBroken || data === '') return false
    this.#isBroken = true
    if (await this.check(connection, comparePlaces(previous, cursor) < 0)) return true
    // The epoch is another one if entries were lost. Then its marker is still to come.
    if (this.#epoch === cursor.epoch && this.#cursor === cursor) this.#begin(previous)
    return false
  }

  /** Reads on from before the marker of an epoch, if that is an earlier place. @returns whether it is */
  #goBackTo(marker: Place): boolean {
    const after = parseLink(marker.epoch, `${this.#readAfter}.0`)
    this.#epoch = marker.epoch
    if (after !== undefined && comparePlaces(after, marker) < 0) return false
    // A marker is the second entry that its millisecond has room for.
    this.#readAfter = idOf({ ...marker, seq: marker.seq - 1 })
    return true
  }

  #begin(place: Place): void {
    this.#cursor = place
    this.#epoch = place.epoch
    this.#readAfter = idOf(place)
    this.#writer = ''
    this.#isBroken = false
    this.#consumer.begin(formatPosition(place))
    this.#moved(place)
  }

  #takeItems({ place, writer }: Entry, items: readonly Item[]): void {
    const isOld = this.#restoreUpTo !== undefined && comparePlaces(place, this.#restoreUpTo) <= 0
    for (const [index, item] of items.entries()) {
      const cursor = { ...place, index }
      this.#cursor = cursor
      if (isTold(item) && !isOld) this.#consumer.tell(item.tell)
      if (!isEvent(item)) continue
      item.position = formatPosition(cursor)
      if (!isOld) this.#consumer.deliver(item as Delivery)
      else if (item.transient !== true)
        this.#consumer.restore(item as Delivery, Math.max(0, this.#clock.now() - place.ms))
    }
    this.#writer = writer
    this.#moved(this.#cursor as Place)
  }

  #moved(cursor: Place): void {
    const upTo = this.#restoreUpTo
    if (upTo !== undefined && (upTo.epoch !== cursor.epoch || comparePlaces(upTo, cursor) <= 0)) {
      this.#restoreUpTo = undefined
      this.#consumer.onReady()
    }
    this.#consumer.onProgress(cursor)
  }
}

function textsOf(reply: Reply): string[] {
  return Array.isArray(reply) ? reply.map(String) : []
}
