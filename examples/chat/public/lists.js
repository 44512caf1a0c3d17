/** The list of rooms and the list of members. On a narrow screen a button opens each of them. */
/** @import { Room } from '../events.js' */
import { byId, fill, fillFor, onSubmit } from './elements.js'

const roomList = byId('rooms', HTMLElement)
const panels = [byId('side', HTMLElement), byId('people', HTMLElement)]

/** Calls a function when the user chooses a room. @param {(room: string) => void} openRoom */
export function onRoom(openRoom) {
  const choose = (/** @type {string} */ room) => {
    closePanels()
    openRoom(room)
  }
  onSubmit(byId('opener', HTMLFormElement), byId('new-room', HTMLInputElement), choose)
  roomList.addEventListener('click', ({ target }) => {
    const item = target instanceof Element ? target.closest('li') : null
    if (item?.dataset.room !== undefined) choose(item.dataset.room)
  })
  // The screen was turned: an open panel would cover the wide layout, where both stand beside the room.
  matchMedia('(width < 56rem)').addEventListener('change', closePanels)
}

export function closePanels() {
  for (const panel of panels) panel.hidePopover()
}

/**
 * @param {Iterable<string>} names
 * @param {string} me
 */
export function showMembers(names, me) {
  const people = Array.from(names, (name) => {
    const item = document.createElement('li')
    item.append(fillFor('person', name))
    item.classList.toggle('self', name === me)
    return item
  })
  byId('members', HTMLElement).replaceChildren(...people)
}

/** Removes the rooms that are not in the list. @param {Room[]} rooms */
export function keepRooms(rooms) {
  const names = rooms.map(({ room }) => room)
  for (const item of roomItems()) if (!names.includes(item.dataset.room ?? '')) item.remove()
  showUnreadElsewhere()
}

/**
 * Shows a room in the list. An item that exists is kept, because its button may have the focus.
 *
 * @param {Room} about
 * @param {string} current
 * @param {number} unread
 */
export function showRoom({ room, count, fixed }, current, unread) {
  /** @type {HTMLElement | undefined} */
  let item = roomItems().find(({ dataset }) => dataset.room === room)
  if (count === 0 && !fixed && room !== current) {
    item?.remove()
    showUnreadElsewhere()
    return
  }
  if (item === undefined) {
    item = fill('room', { 'room-name': room })
    item.dataset.room = room
    roomList.append(item)
  }
  for (const each of item.querySelectorAll('.count')) each.textContent = peopleHere(count)
  mark(item, current, unread)
  showUnreadElsewhere()
}

/** Marks the open room, which has no unread messages. @param {string} current */
export function markCurrent(current) {
  for (const item of roomItems()) mark(item, current, Number(item.dataset.unread))
  showUnreadElsewhere()
}

/**
 * @param {HTMLElement} item
 * @param {string} current
 * @param {number} unread
 */
function mark(item, current, unread) {
  const isCurrent = item.dataset.room === current
  const count = isCurrent ? 0 : unread
  item.dataset.unread = String(count)
  for (const button of item.querySelectorAll('button')) button.ariaCurrent = isCurrent ? 'true' : null
  for (const badge of item.querySelectorAll('.unread')) showUnread(badge, count)
}

/** Shows the sum at the button that opens the list, because a narrow screen hides the list. */
function showUnreadElsewhere() {
  const sum = roomItems().reduce((total, { dataset }) => total + Number(dataset.unread), 0)
  showUnread(byId('unread-elsewhere', HTMLElement), sum)
}

/**
 * @param {Element} badge
 * @param {number} count
 */
function showUnread(badge, count) {
  badge.toggleAttribute('hidden', count === 0)
  badge.textContent = count > 99 ? '99+' : String(count)
  badge.ariaLabel = count === 1 ? '1 unread message' : `${count} unread messages`
}

/** @param {number} count */
function peopleHere(count) {
  if (count === 0) return 'nobody here'
  return count === 1 ? '1 person here' : `${count} people here`
}

function roomItems() {
  return Array.from(roomList.querySelectorAll('li'))
}
