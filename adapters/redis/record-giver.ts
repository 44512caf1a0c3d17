import { setTimeout as sleep } from 'node:timers/promises'
import type { UserActivityEvent } from '../../lib/protocol/user-activity-event.ts'
import { Retry } from '../../lib/util/retry.ts'
import type { Reply } from './connection.ts'
import type { RawEntry } from './entry.ts'
import { type Operation, operation } from './presence-operations.ts'
import { parseStep, stepsOf } from './record.ts'

/** How long an idle node waits before it reads on, in milliseconds. */
const IDLE_MS = 50

/** The longest that a node waits before it asks again for the turn, in milliseconds. */
const ASK_MS = 1_000

/** The most entries of the record that are given at once. */
const MOST_ENTRIES = 100

/** What a {@link RecordGiver} works with. */
export interface GiverContext {
  /** How long a node may give before it must say that it goes on, in milliseconds. */
  readonly lease: number
  run(operation: Operation): Promise<Reply>
  /** Reads entries of the record after one of them. */
  read(after: string, count: number): Promise<readonly RawEntry[]>
  /** See PresenceHandler.onRecord. */
  take(events: readonly UserActivityEvent[]): Promise<void>
}

/**
 * Gives the record to those outside the cluster. One node of all has the turn, for as long as it says that it goes on.
 * The place up to which the record was taken is in Redis, so that another node goes on from there.
 *
 * ```
 * ask ──▶ not our turn ──▶ wait, and ask again
 *  ▲ └──▶ our turn, and the place ──▶ read ──▶ give, as often as needed ──▶ tell the place ─┐
 *  └────────────────────────────────────────────────────────────────────────────────────────┘
 * ```
 */
export class RecordGiver {
  readonly #context: GiverContext
  readonly #retry = new Retry()
  readonly #closing = new AbortController()
  /** The place up to which it was taken. Empty: this node knows none that Redis does not. */
  #place = ''
  #running: Promise<void> | undefined

  constructor(context: GiverContext) {
    this.#context = context
  }

  /** Begins. Idempotent. */
  start(): void {
    if (!this.#isClosed) this.#running ??= this.#run()
  }

  /** Begins nothing any more. Idempotent. */
  stop(): void {
    this.#closing.abort()
    this.#retry.stop()
  }

  /** Stops, gives what there still is if no other node does, and leaves the turn to others. Call it once. */
  async finish(): Promise<void> {
    this.stop()
    if (this.#running === undefined) return
    await this.#running
    while ((await this.#step('giveLast')) === 0);
    await this.#ask('giveLast', 0)
  }

  get #isClosed(): boolean {
    return this.#closing.signal.aborted
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing
    while (!this.#isClosed) {
      try {
        const wait = await this.#step('give')
        this.#retry.reset()
        await sleep(wait, undefined, { ref: false, signal }).catch(() => {})
      } catch {
        // Redis or who takes it is away. Both tell that themselves.
        await this.#retry.wait()
      }
    }
  }

  /** Gives some entries, if it is our turn. @returns how long to wait before the next step, in milliseconds */
  async #step(name: 'give' | 'giveLast'): Promise<number> {
    const { lease, read } = this.#context
    const [isOurs, answer] = await this.#ask(name, lease)
    // The other node may leave before its turn is over.
    if (isOurs !== 1) return Math.max(IDLE_MS, Math.min(Number(answer), ASK_MS))
    const after = String(answer)
    this.#place = ''
    const entries = await read(after, MOST_ENTRIES)
    const last = entries.at(-1)?.[0]
    if (last === undefined) return IDLE_MS
    const events: UserActivityEvent[] = []
    let reached = Number.parseInt(after, 10)
    for (const [id, fields] of entries) {
      for (const text of stepsOf(id, fields)) {
        const { stamp, before, events: some } = parseStep(text, () => false)
        if (before > reached) warnOfGap()
        reached = stamp
        events.push(...some)
      }
    }
    if (events.length > 0) await this.#give(name, events)
    this.#place = last
    return 0
  }

  /** Hands events over, which may take longer than the turn: another node must not begin meanwhile. */
  async #give(name: 'give' | 'giveLast', events: readonly UserActivityEvent[]): Promise<void> {
    const { lease, take } = this.#context
    const timer = setInterval(() => {
      this.#ask(name, lease).catch(() => {})
    }, lease / 3)
    timer.unref()
    try {
      await take(events)
    } finally {
      clearInterval(timer)
    }
  }

  /**
   * Tells the place up to which the record was taken, and asks for the turn.
   *
   * @returns 1 and the place; or 0 and the time after which to ask again
   */
  async #ask(name: 'give' | 'giveLast', lease: number): Promise<readonly Reply[]> {
    const answer = await this.#context.run(operation(name, String(lease), this.#place))
    return answer as readonly Reply[]
  }
}

function warnOfGap(): void {
  process.emitWarning(
    'Activity was lost to those who hear of it through the broker: the record in Redis was trimmed before it was given, because it was not taken for too long, or the store lost data.',
    'CometWarning',
  )
}
