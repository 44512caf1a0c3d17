/** The sign-in form, and what stands around the messages of the open room. */
import { byId, fillFor, onSubmit } from './elements.js'
import * as lists from './lists.js'
import * as log from './log.js'

const door = byId('door', HTMLFormElement)
const nameField = byId('name', HTMLInputElement)
const chat = byId('chat', HTMLElement)
const textField = byId('text', HTMLTextAreaElement)
const typingLine = byId('typing', HTMLElement)
const connection = byId('connection', HTMLElement)

/** The states of the connection, and what the page says about them. */
const CONNECTION = {
  connecting: 'Connecting…',
  online: 'Online',
  offline: 'Offline. Reconnecting…',
  ended: 'Ended. Please reload the page.',
}

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
  lists.onRoom(user.openRoom)
  const composer = byId('composer', HTMLFormElement)
  onSubmit(composer, textField, user.write)
  textField.addEventListener('input', user.typing)
  textField.addEventListener('keydown', (event) => {
    // Enter also ends the composition of a word, for example in Japanese.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
    event.preventDefault()
    composer.requestSubmit()
  })
  byId('leave', HTMLElement).addEventListener('click', user.signOut)
}

export function showDoor(name = '', refusal = '') {
  lists.closePanels()
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
  byId('me', HTMLElement).replaceChildren(fillFor('person', name))
}

/** Shows an empty room. @param {string} room */
export function startRoom(room) {
  log.clear()
  showTyping('')
  showProblem('')
  lists.markCurrent(room)
  byId('title', HTMLElement).textContent = room
  document.title = `${room} · Comet chat`
  textField.placeholder = `Write to ${room}`
  // Not on a touch screen: its keyboard would cover the messages.
  if (matchMedia('(pointer: fine)').matches) textField.focus()
}

/** @param {keyof typeof CONNECTION} state */
export function showConnection(state) {
  // Each failed attempt to reconnect reports the same state. A screen reader must say it only once.
  if (connection.dataset.state === state) return
  connection.dataset.state = state
  connection.textContent = CONNECTION[state]
}

/** Tells the user what did not work. @param {string} text */
export function showProblem(text) {
  byId('problem', HTMLElement).textContent = text
}

/** Puts a text that could not be sent back into the field. @param {string} text */
export function giveBack(text) {
  if (textField.value === '') textField.value = text
}

/** Shows for 4 s that a user is typing. An empty name clears the line. @param {string} name */
export function showTyping(name) {
  typingLine.dataset.name = name
  typingLine.textContent = name === '' ? '' : `${name} is typing…`
  clearTimeout(typingTimer)
  if (name !== '') typingTimer = setTimeout(() => showTyping(''), 4_000)
}

/** Ends the typing notice of a user, whose message arrived. @param {string} name */
export function endTyping(name) {
  if (typingLine.dataset.name === name) showTyping('')
}
