/** @import { RedisClientType } from 'redis' */
/** @import { ChatMessage, NewMessage } from './events.js' */
import { FIXED, isFixed, isName, MAX_MESSAGES, MAX_ROOMS } from './rooms.js'

/** The names of the rooms that users have opened. */
const OPENED = 'chat:rooms'

/** The rooms and their last messages, in Redis, so that all processes have the same. As MemoryRooms. */
export class RedisRooms {
  #redis

  /** @param {RedisClientType} redis */
  constructor(redis) {
    this.#redis = redis
  }

  /** @param {string} room */
  async mayOpen(room) {
    if (isFixed(room) || (await this.#redis.sIsMember(OPENED, room))) return true
    return isName(room) && FIXED.length + (await this.#redis.sCard(OPENED)) < MAX_ROOMS
  }

  async names() {
    return [...FIXED, ...(await this.#redis.sMembers(OPENED))]
  }

  /** @param {string} room @returns {Promise<ChatMessage[]>} */
  async messagesOf(room) {
    const messages = await this.#redis.lRange(messagesKey(room), 0, -1)
    return messages.map((message) => JSON.parse(message))
  }

  /** @param {string} room @returns {Promise<number | undefined>} */
  async lastNumberOf(room) {
    const last = await this.#redis.lIndex(messagesKey(room), -1)
    return last === null ? undefined : JSON.parse(last).number
  }

  /** @param {NewMessage} message @returns {Promise<ChatMessage>} */
  async add(message) {
    const { room } = message
    const numbered = { ...message, number: await this.#redis.incr(numberKey(room)) }
    const key = messagesKey(room)
    await this.#redis.multi().rPush(key, JSON.stringify(numbered)).lTrim(key, -MAX_MESSAGES, -1).exec()
    return numbered
  }

  /** @param {string} room @param {number} count */
  async keepOrForget(room, count) {
    if (isFixed(room)) return
    if (count > 0) await this.#redis.sAdd(OPENED, room)
    else
      await this.#redis
        .multi()
        .sRem(OPENED, room)
        .del([messagesKey(room), numberKey(room)])
        .exec()
  }
}

/** @param {string} room */
const messagesKey = (room) => `chat:messages:${room}`
/** @param {string} room */
const numberKey = (room) => `chat:number:${room}`
