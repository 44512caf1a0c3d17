/** Counts the messages that the user has not seen, in the rooms that are not open. */
/** @import { ChatMessage, Room } from '../events.js' */

/** The number of the last message that the user saw, by room. It survives a reload. @type {Map<string, number>} */
let seen = new Map(JSON.parse(sessionStorage.getItem('seen') ?? '[]'))

/** Remembers that the user saw a message, and all before it. @param {ChatMessage} message */
export function see({ room, number }) {
  seen.set(room, number)
  save()
}

/** What was written before the page heard of a room does not count. @param {Room} about */
export function unreadIn({ room, count, fixed, last = 0 }) {
  const number = seen.get(room) ?? last
  seen.set(room, number)
  // The server forgets this room. When somebody opens it again, its messages are numbered from 1.
  if (count === 0 && !fixed) seen.delete(room)
  save()
  return Math.max(0, last - number)
}

/**
 * Corrects what is remembered by a list of all rooms. While the page was away, the server may have forgotten rooms, or
 * may have been restarted: their messages are numbered from 1 again.
 *
 * @param {Room[]} rooms
 */
export function correct(rooms) {
  seen = new Map(rooms.map(({ room, last = 0 }) => [room, Math.min(seen.get(room) ?? last, last)]))
  save()
}

function save() {
  sessionStorage.setItem('seen', JSON.stringify([...seen]))
}
