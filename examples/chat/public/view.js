/** The elements of the page. Texts of users are shown as text, never as HTML. */
/** @import { ChatMessage, Room } from '../events.js' */

const door = byId('door', HTMLFormElement)
const nameField = byId('name', HTMLInputElement)
const chat = byId('chat', HTMLElement)
const roomList = byId('rooms', HTMLElement)
const log = byId('log', HTMLElement)
const textField = byId('text', HTMLTextAreaElement)
const typingLine = byId('typing', HTMLElement)

const MAX_SHOWN = 500
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' })
const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'short' })

/** @type {ReturnType<typeof setTimeout> | undefined} */
let typingTimer

/**
 * Calls these functions when the user does something.
 *
 * @param {{
 *   signIn(name: string): void,
 *   signOut(): void,
 *   openRoom(room: string): void,
 *   write(text: string): void,
 *   typing(): void,
 * }} user
 */
export function listen(user) {
  onSubmit(door, nameField, user.signIn, false)
  onSubmit(byId('opener', HTMLFormElement), byId('new-room', HTMLInputElement), user.openRoom)
  const composer = byId('composer', HTMLFormElement)
  onSubmit(composer, textField, user.write)
  textField.addEventListener('input', user.typing)
  textField.addEventListener('keydown', (event) => {
    // Enter also ends the composition of a word, for example in Japanese.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
    event.preventDefault()
    composer.requestSubmit()
  })
  roomList.addEventListener('click', ({ target }) => {
    const item = target instanceof Element ? target.closest('li') : null
    if (item?.dataset.room !== undefined) user.openRoom(item.dataset.room)
  })
  byId('leave', HTMLElement).addEventListener('click', user.signOut)
}

export function showDoor(name = '', refusal = '') {
  chat.hidden = true
  door.hidden = false
  nameField.value = name
  nameField.focus()
  byId('refusal', HTMLElement).textContent = refusal
  document.title = 'Comet chat'
}

/** @param {string} name */
export function showChat(name) {
  door.hidden = true
  chat.hidden = false
  byId('me', HTMLElement).replaceChildren(person(name))
}

/** Shows an empty room. @param {string} room */
export function startRoom(room) {
  log.replaceChildren()
  showTyping('')
  byId('title', HTMLElement).textContent = room
  document.title = `${room} · Comet chat`
  textField.placeholder = `Write to ${room}`
  for (const item of roomItems()) markCurrent(item, room)
  // Not on a touch screen: its keyboard would cover the messages.
  if (matchMedia('(pointer: fine)').matches) textField.focus()
}

/** Shows the state of the connection. @param {string} text */
export function say(text) {
  byId('status', HTMLElement).textContent = text
}

/** Puts a text that could not be sent back into the field. @param {string} text */
export function giveBack(text) {
  if (textField.value === '') textField.value = text
}

/**
 * Shows a message. Does nothing for a message that is shown already.
 *
 * @param {ChatMessage} message
 * @param {boolean} mine
 */
export function showMessage({ id, name, text, time }, mine) {
  if (document.getElementById(id) !== null) return
  const date = new Date(time)
  const minute = clock.format(date)
  const item = fill('message', { name, text, time: minute, avatar: initial(name) })
  // Messages that a user writes within one minute stand under one name.
  const heading = `${name} ${minute}`
  const last = log.lastElementChild
  item.id = id
  item.dataset.heading = heading
  item.classList.toggle('mine', mine)
  item.classList.toggle('follows', last instanceof HTMLElement && last.dataset.heading === heading)
  item.style.setProperty('--hue', hue(name))
  for (const each of item.querySelectorAll('time')) {
    each.dateTime = date.toISOString()
    each.title = calendar.format(date)
  }
  append(item, mine)
  if (typingLine.dataset.name === name) showTyping('')
}

/**
 * @param {string} name
 * @param {string} what
 */
export function showNotice(name, what) {
  append(fill('notice', { name, what }), false)
}

/** Shows for 4 s that a user is typing. An empty name clears the line. @param {string} name */
export function showTyping(name) {
  typingLine.dataset.name = name
  typingLine.textContent = name === '' ? '' : `${name} is typing…`
  clearTimeout(typingTimer)
  if (name !== '') typingTimer = setTimeout(() => showTyping(''), 4_000)
}

/**
 * @param {Iterable<string>} names
 * @param {string} me
 */
export function showMembers(names, me) {
  const people = Array.from(names, (name) => {
    const item = document.createElement('li')
    item.append(person(name))
    item.classList.toggle('self', name === me)
    return item
  })
  byId('members', HTMLElement).replaceChildren(...people)
}

/**
 * @param {Room[]} rooms
 * @param {string} current
 */
export function showRooms(rooms, current) {
  const names = rooms.map(({ room }) => room)
  for (const item of roomItems()) if (!names.includes(item.dataset.room ?? '')) item.remove()
  for (const room of rooms) showRoom(room, current)
}

/**
 * Shows a room in the list. An item that exists is kept, because its button may have the focus.
 *
 * @param {Room} about
 * @param {string} current
 */
export function showRoom({ room, count, fixed }, current) {
  /** @type {HTMLElement | undefined} */
  let item = roomItems().find(({ dataset }) => dataset.room === room)
  if (count === 0 && !fixed && room !== current) {
    item?.remove()
    return
  }
  if (item === undefined) {
    item = fill('room', { 'room-name': room })
    item.dataset.room = room
    roomList.append(item)
  }
  markCurrent(item, current)
  for (const badge of item.querySelectorAll('.count')) {
    badge.textContent = count === 0 ? '' : String(count)
    badge.ariaLabel = `${count} here`
  }
}

/**
 * @param {HTMLElement} item
 * @param {string} current
 */
function markCurrent(item, current) {
  for (const button of item.querySelectorAll('button')) {
    button.ariaCurrent = item.dataset.room === current ? 'true' : null
  }
}

function roomItems() {
  return Array.from(roomList.querySelectorAll('li'))
}

/** @param {string} name */
function person(name) {
  const item = fill('person', { name, avatar: initial(name) })
  item.style.setProperty('--hue', hue(name))
  return item
}

/**
 * Adds an item to the log. Scrolls to it, unless the user is reading further up and `always` is false.
 *
 * @param {HTMLElement} item
 * @param {boolean} always
 */
function append(item, always) {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80
  log.append(item)
  if (log.children.length > MAX_SHOWN) log.firstElementChild?.remove()
  if (atEnd || always) log.scrollTop = log.scrollHeight
}

/**
 * Makes an element from a template. `texts` has a text for each class: it goes into the elements of that class.
 *
 * @param {string} template
 * @param {Record<string, string>} texts
 */
function fill(template, texts) {
  const { content } = byId(`${template}-template`, HTMLTemplateElement)
  const item = document.importNode(content, true).firstElementChild
  if (!(item instanceof HTMLElement)) throw new Error(`The template ${template} is empty`)
  for (const [name, text] of Object.entries(texts)) {
    for (const each of item.querySelectorAll(`.${name}`)) each.textContent = text
  }
  return item
}

/** @param {string} name */
function initial(name) {
  return Array.from(name)[0]?.toUpperCase() ?? ''
}

/** Computes a hue from a name: the same name has the same colour on every page. @param {string} name */
function hue(name) {
  let hash = 2_166_136_261
  for (const letter of name) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 16_777_619)
  return String((hash >>> 0) % 360)
}

/**
 * @param {HTMLFormElement} form
 * @param {HTMLInputElement | HTMLTextAreaElement} field
 * @param {(text: string) => void} use
 * @param {boolean} [clear]
 */
function onSubmit(form, field, use, clear = true) {
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    const text = field.value.trim()
    if (clear) field.value = ''
    if (text !== '') use(text)
  })
}

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
function byId(id, type) {
  const found = document.getElementById(id)
  if (found instanceof type) return found
  throw new Error(`The page has no ${type.name} with the id ${id}`)
}
