import type { Health } from '../../lib/ports/health.ts'
import type { RedisConnection } from './connection.ts'
import { KEY_TTL_MS, type Keys } from './keys.ts'
import { LUA_NOW, Script } from './script.ts'
import type { StoreClock } from './store-clock.ts'

/** Renews a lease. Answers the time, and when the lease ended so far ('': there was none). */
const RENEW = new Script(`${LUA_NOW}
local time = now()
local before = redis.call('ZSCORE', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[1], time + tonumber(ARGV[2]), ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return {string.format('%.0f', time), before or ''}
`)

const END = new Script(`
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2])
return 1
`)

/** How soon a renewal that failed is tried again, in milliseconds. */
const AGAIN_MS = 250

/** A renewal of a lease. Times are in milliseconds on the clock of Redis. */
export interface Renewal {
  readonly time: number
  /** When the lease would have ended, or has. Undefined when Redis knew none: it is new, or was lost. */
  readonly end: number | undefined
}

/**
 * The lease of a node: other nodes reach it, and count on its sessions, while it has one. It is renewed each third of
 * its length.
 */
export class Lease {
  readonly length: number
  readonly #connection: RedisConnection
  readonly #keys: Keys
  readonly #node: string
  readonly #clock: StoreClock
  readonly #health: Health
  readonly #listeners = new Set<(renewal: Renewal) => void>()
  #timer: NodeJS.Timeout | undefined
  #again: NodeJS.Timeout | undefined
  #isClosed = false

  /** @param length in milliseconds */
  constructor(
    connection: RedisConnection,
    keys: Keys,
    node: string,
    clock: StoreClock,
    health: Health,
    length: number,
  ) {
    this.#connection = connection
    this.#keys = keys
    this.#node = node
    this.#clock = clock
    this.#health = health
    this.length = length
  }

  /** Calls a listener, which must not throw, after each renewal. @returns a function that removes it */
  onRenewed(listener: (renewal: Renewal) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Takes the lease, and renews it from then on. Rejects when Redis cannot be reached. */
  async start(): Promise<void> {
    await this.#renew()
    this.#timer ??= setInterval(() => this.renewNow(), this.length / 3)
    this.#timer.unref()
  }

  /** Renews it at once, if Redis can be reached. */
  renewNow(): void {
    this.#renew().then(
      () => this.#health.works('lease'),
      (error: unknown) => {
        if (this.#isClosed) return
        this.#health.failed('lease', error)
        // After a loss of data others do not find this node before.
        clearTimeout(this.#again)
        this.#again = setTimeout(() => this.renewNow(), Math.min(AGAIN_MS, this.length / 3)).unref()
      },
    )
  }

  async #renew(): Promise<void> {
    if (this.#isClosed) return
    if (!this.#connection.isReady) throw this.#connection.trouble
    const asked = performance.now()
    const keys = [this.#keys.nodes, this.#keys.inbox(this.#node)]
    const args = [this.#node, String(this.length), String(KEY_TTL_MS)]
    const reply = await RENEW.run(this.#connection, keys, args, Math.min(this.length / 3, 3_000))
    const [time, end] = Array.isArray(reply) ? reply : []
    const renewal = { time: Number(time), end: end === '' ? undefined : Number(end) }
    this.#clock.observe(renewal.time, asked)
    for (const listener of this.#listeners) listener(renewal)
  }

  /** Gives it up: nothing reaches the node any more. Idempotent. Never rejects. */
  async end(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    clearInterval(this.#timer)
    clearTimeout(this.#again)
    this.#listeners.clear()
    if (!this.#connection.isReady) return
    const keys = [this.#keys.nodes, this.#keys.inbox(this.#node)]
    await END.run(this.#connection, keys, [this.#node], 1_000).catch(() => {})
  }
}
