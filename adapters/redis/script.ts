import { createHash } from 'node:crypto'
import { codeOf, type RedisConnection, type Reply } from './connection.ts'

/**
 * A Lua script. Redis runs it as one step, and stores it by its hash: only the first call of all nodes sends the text.
 * Names of Lua that a script uses must be declared local.
 */
export class Script {
  readonly source: string
  readonly #hash: string

  constructor(source: string) {
    this.source = source
    this.#hash = createHash('sha1').update(source).digest('hex')
  }

  /**
   * @param keys all keys that the script uses, of one slot; at least one
   * @throws what {@link RedisConnection.send} rejects with
   */
  async run(
    connection: RedisConnection,
    keys: readonly string[],
    args: readonly string[],
    timeout?: number,
  ): Promise<Reply> {
    const reply = await this.runKnown(connection, keys, args, timeout)
    // After a restart or a failover, too. EVAL stores the script.
    if (reply !== undefined) return reply
    const [key = ''] = keys
    return await connection.send(key, ['EVAL', this.source, String(keys.length), ...keys, ...args], timeout)
  }

  /**
   * Runs the script only where Redis has it: after a restart or a failover it does not.
   *
   * @returns undefined when it does not; nothing happened then
   */
  async runKnown(
    connection: RedisConnection,
    keys: readonly string[],
    args: readonly string[],
    timeout?: number,
  ): Promise<Reply | undefined> {
    const [key = ''] = keys
    try {
      return await connection.send(
        key,
        ['EVALSHA', this.#hash, String(keys.length), ...keys, ...args],
        timeout,
      )
    } catch (error) {
      if (codeOf(error) !== 'NOSCRIPT') throw error
      return undefined
    }
  }
}

/**
 * Lua, the body of a function: names the process of the server. Another one, after a restart or a failover, may have lost
 * what was written last. Empty: it may not be asked.
 */
export const LUA_SERVER_RUN = `
local info = redis.pcall('INFO', 'server')
return type(info) == 'string' and string.match(info, 'run_id:(%x+)') or ''
`

/**
 * Lua: `now()` tells the time of Redis in whole milliseconds, and `nowText()` the same as text, which is quicker than to
 * format a number. The one place where scripts take the time from.
 */
export const LUA_NOW = `
local function nowText()
  local time = redis.call('TIME')
  return time[1] .. string.sub('000000' .. time[2], -6, -4)
end
local function now()
  return tonumber(nowText())
end
`
