/** @import { ChatMessage, NewMessage } from './events.js' */

/** The rooms that are always there. */
export const FIXED = ['lobby', 'coffee', 'music']

/** The most rooms, and the most messages of a room, that are kept. */
export const MAX_ROOMS = 100
export const MAX_MESSAGES = 50

/**
 * Tells whether a value can be the name of a user or a room: one line of 1 to 24 characters, without spaces at its ends.
 * All other characters are allowed, because pages show a name as text and never as HTML.
 *
 * @param {unknown} name
 * @returns {name is string}
 */
export function isName(name) {
  return typeof name === 'string' && /^[^\p{Cc}\p{Zl}\p{Zp}]{1,24}$/u.test(name) && name === name.trim()
}

/** @param {string} room */
export function isFixed(room) {
  return FIXED.includes(room)
}

/**
 * The rooms and their last messages, in the memory of this process. A real app keeps them in a database. With several
 * processes they are in Redis (`redis-rooms.js`).
 */
export class MemoryRooms {
  /** @type {Map<string, ChatMessage[]>} */
  #rooms = new Map(FIXED.map((room) => [room, []]))

  /** Tells whether a room may be entered: it is there, or one more may be opened. @param {string} room */
  async mayOpen(room) {
    return this.#rooms.has(room) || (isName(room) && this.#rooms.size < MAX_ROOMS)
  }

  async names() {
    return Array.from(this.#rooms.keys())
  }

  /** @param {string} room */
  async messagesOf(room) {
    return this.#rooms.get(room) ?? []
  }

  /** Returns the number of the last message of a room. Undefined while there is none. @param {string} room */
  async lastNumberOf(room) {
    return this.#rooms.get(room)?.at(-1)?.number
  }

  /**
   * Keeps a message, and gives it the next number of its room.
   *
   * @param {NewMessage} message
   */
  async add(message) {
    const { room } = message
    const messages = this.#rooms.get(room) ?? []
    const numbered = { ...message, number: (messages.at(-1)?.number ?? 0) + 1 }
    this.#rooms.set(room, [...messages, numbered].slice(-MAX_MESSAGES))
    return numbered
  }

  /**
   * Keeps a room while it has members. Forgets a room that a user opened, when its last member has left.
   *
   * @param {string} room
   * @param {number} count the number of members now
   */
  async keepOrForget(room, count) {
    if (count > 0) this.#rooms.set(room, this.#rooms.get(room) ?? [])
    else if (!isFixed(room)) this.#rooms.delete(room)
  }
}
