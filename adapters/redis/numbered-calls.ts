import { CometError } from '../../lib/errors.ts'
import type { Health } from '../../lib/ports/health.ts'
import { Retry } from '../../lib/util/retry.ts'
import { isRefusal, type RedisConnection, type Reply } from './connection.ts'
import { KEY_TTL_MS, type Keys } from './keys.ts'
import { LUA_NOW, Script } from './script.ts'

/** How often a caller tells that it lives, in milliseconds: what is stored of it goes {@link KEY_TTL_MS} after the last time. */
const TOUCH_MS = 600_000

/**
 * Makes a script for {@link NumberedCalls}: one step that happens once, however often it is sent.
 *
 * @param step Lua: the body of a function that returns its answer as text. It has `now()`, the keys as `KEYS[3]` and
 *   after, and the arguments as `ARGV[5]` and after. `lost` is true when Redis has lost an earlier call of this caller
 *   that it had answered, and with it what other callers did since, such as after a restart with older data. Before its
 *   first write the step must be sure to succeed: Redis does not undo what a script did that fails
 * @param clock Lua that defines `now()`. Another one is for tests
 */
export function numberedScript(step: string, clock: string = LUA_NOW): Script {
  return new Script(`${clock}
local field, both = ARGV[1], ARGV[2]
local colon = string.find(both, ':', 1, true)
local number, answered = string.sub(both, 1, colon - 1), string.sub(both, colon + 1)
local known, lost = redis.call('HGET', KEYS[1], field), false
-- Mostly it is the call after the one that was answered last.
if not known or string.sub(known, 1, #answered + 1) ~= answered .. ' ' then
  local last = 0
  if known then
    local space = string.find(known, ' ', 1, true)
    last = tonumber(string.sub(known, 1, space - 1))
    if last == tonumber(number) then return string.sub(known, space + 1) end
    if last > tonumber(number) then return redis.error_reply('STALE call ' .. number .. ' after ' .. last) end
  end
  lost = last < tonumber(answered)
end
local function step()
${step}
end
local answer = step()
redis.call('HSET', KEYS[1], field, number .. ' ' .. answer)
if ARGV[3] == '1' then
  local time, age = now(), tonumber(ARGV[4])
  redis.call('ZADD', KEYS[2], time, field)
  local old = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', time - age, 'LIMIT', 0, 100)
  if #old > 0 then
    redis.call('HDEL', KEYS[1], unpack(old))
    redis.call('ZREM', KEYS[2], unpack(old))
  end
  redis.call('PEXPIRE', KEYS[1], age)
  redis.call('PEXPIRE', KEYS[2], age)
end
return answer
`)
}

/** Takes a number out of use. Answers what its call answered, or nothing: then the call will never be carried out. */
const VOID = new Script(`
local known = redis.call('HGET', KEYS[1], ARGV[1])
if known then
  local space = string.find(known, ' ', 1, true)
  local last = tonumber(string.sub(known, 1, space - 1))
  if last == tonumber(ARGV[2]) then return string.sub(known, space + 1) end
  if last > tonumber(ARGV[2]) then return false end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ')
return false
`)

/** Removes what is stored of a caller that makes no more calls. */
const FORGET = new Script(`
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return 1
`)

/**
 * The calls of one kind that a node makes, each of which Redis carries out once and in order.
 *
 * ```
 * call 7 ──▶ Redis: the step, and its answer stored with the number ──▶ answer ──▶ call 8
 *    ▲                                                │ lost
 *    └─ after a while: is there an answer to 7? ◀─────┘
 *       yes: take it. no: send 7 again. a 7 that comes later still is refused, or gets the same answer
 * ```
 *
 * One call is on its way at a time. A call whose answer is lost is repeated until there is one, while the port counts as
 * down. What Redis refuses for good, such as for want of memory, rejects.
 */
export class NumberedCalls {
  readonly #connection: RedisConnection
  readonly #keys: Keys
  readonly #field: string
  readonly #kind: string
  readonly #health: Health
  readonly #retry = new Retry()
  /** The call before the next one. */
  #last: Promise<unknown> = Promise.resolve()
  #number = 0
  /** The last number that Redis has answered. */
  #answered = 0
  /** On the clock of `performance.now()`. */
  #touched = Number.NEGATIVE_INFINITY
  #isClosed = false
  /** Whether a call may still be carried out after {@link close}: what is stored of it must stay then. */
  #leavesDoubt = false

  /**
   * @param caller never used before: a node that comes back with its old id must not be taken for its former self
   * @param kind tells the calls of one caller apart that need no order between them
   */
  constructor(connection: RedisConnection, keys: Keys, caller: string, kind: string, health: Health) {
    this.#connection = connection
    this.#keys = keys
    this.#field = `${caller}:${kind}`
    this.#kind = kind
    this.#health = health
  }

  /**
   * Makes a call, after those before it.
   *
   * @param script of {@link numberedScript}
   * @param isVoid asked before each repetition: whether the call should not happen any more. It is then resolved first,
   *   because it may have happened
   * @returns the answer, or undefined when the call became void: it did not happen, and will not
   * @throws what Redis refuses the call with; CometError UNAVAILABLE after {@link close}
   */
  call(
    script: Script,
    keys: readonly string[],
    args: readonly string[],
    isVoid: () => boolean = () => false,
  ): Promise<string | undefined> {
    const call = this.#last.then(() => this.#carryOut(script, keys, args, isVoid))
    this.#last = call.catch(() => {})
    return call
  }

  /**
   * Makes no more calls. The one on its way is not repeated. Idempotent.
   *
   * @returns settles when what Redis stores of the caller is removed, or could not be
   */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#retry.stop()
    await this.#last
    if (this.#number === 0 || this.#leavesDoubt || !this.#connection.isReady) return
    await FORGET.run(this.#connection, this.#ownKeys, [this.#field], 1_000).catch(() => {})
  }

  get #ownKeys(): readonly [string, string] {
    return [this.#keys.calls, this.#keys.callers]
  }

  async #carryOut(
    script: Script,
    keys: readonly string[],
    args: readonly string[],
    isVoid: () => boolean,
  ): Promise<string | undefined> {
    this.#number += 1
    const number = String(this.#number)
    for (let wasSent = false; ; ) {
      if (this.#isClosed) {
        this.#leavesDoubt ||= wasSent
        throw new CometError('SHUTTING_DOWN', 'The Comet is closed.')
      }
      const isOver = isVoid()
      if (isOver && !wasSent) return undefined
      if (!this.#connection.isReady) {
        this.#health.failed(this.#kind, this.#connection.trouble)
        await this.#retry.wait(false)
        continue
      }
      try {
        const isRepeated = wasSent
        wasSent = true
        const answer = isOver
          ? await this.#voidOf(number)
          : await this.#answerTo(number, script, keys, args, isRepeated)
        this.#health.works(this.#kind)
        this.#retry.reset()
        this.#answered = Number(number)
        return answer
      } catch (error) {
        if (isRefusal(error)) {
          this.#health.works(this.#kind)
          throw error
        }
        this.#health.failed(this.#kind, error)
      }
      await this.#retry.wait()
    }
  }

  async #answerTo(
    number: string,
    script: Script,
    keys: readonly string[],
    args: readonly string[],
    wasSent: boolean,
  ): Promise<string> {
    if (wasSent) {
      // Small, so that what is queued during a long outage stays so.
      const known = await this.#connection.send(this.#keys.calls, ['HGET', this.#keys.calls, this.#field])
      if (typeof known === 'string' && known.startsWith(`${number} `)) return known.slice(number.length + 1)
    }
    const time = performance.now()
    const age = time - this.#touched
    const touches = age >= TOUCH_MS
    // What was not touched for long may be removed, which is no loss.
    const answered = age < KEY_TTL_MS - TOUCH_MS ? this.#answered : 0
    const all = [this.#field, `${number}:${answered}`, touches ? '1' : '0', String(KEY_TTL_MS), ...args]
    const answer = await script.run(this.#connection, [...this.#ownKeys, ...keys], all)
    if (touches) this.#touched = time
    return textOf(answer)
  }

  async #voidOf(number: string): Promise<string | undefined> {
    const answer = await VOID.run(this.#connection, [this.#keys.calls], [this.#field, number])
    return answer === null ? undefined : textOf(answer)
  }
}

function textOf(answer: Reply): string {
  return typeof answer === 'string' ? answer : String(answer)
}
