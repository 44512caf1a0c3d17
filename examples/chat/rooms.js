/** @import { ChatMessage } from './events.js' */

const FIXED = ['lobby', 'coffee', 'music']
const MAX_ROOMS = 100
const MAX_MESSAGES = 50

/**
 * The last messages of each room, oldest first. A real app keeps them in a database.
 *
 * @type {Map<string, ChatMessage[]>}
 */
const rooms = new Map(FIXED.map((room) => [room, []]))

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

/** @param {string} room */
export function mayOpen(room) {
  return rooms.has(room) || (isName(room) && rooms.size < MAX_ROOMS)
}

export function roomNames() {
  return Array.from(rooms.keys())
}

/** @param {string} room */
export function messagesOf(room) {
  return rooms.get(room) ?? []
}

/** Returns the number of the last message of a room. Undefined while there is none. @param {string} room */
export function lastNumberOf(room) {
  return messagesOf(room).at(-1)?.number
}

/** @param {ChatMessage} message */
export function remember(message) {
  rooms.set(message.room, [...messagesOf(message.room), message].slice(-MAX_MESSAGES))
}

/**
 * Keeps a room while it has members. Forgets a room that a user opened, when its last member has left.
 *
 * @param {string} room
 * @param {number} count the number of members now
 */
export function keepOrForget(room, count) {
  if (count > 0) rooms.set(room, messagesOf(room))
  else if (!isFixed(room)) rooms.delete(room)
}
