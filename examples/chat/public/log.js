/** The messages of the open room. */
/** @import { ChatMessage } from '../events.js' */
import { byId, fill, fillFor } from './elements.js'

const log = byId('log', HTMLElement)

const MAX_SHOWN = 500
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' })
const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'short' })

export function clear() {
  log.replaceChildren()
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
  const item = fillFor('message', name, { text, time: minute })
  // Messages that a user writes within one minute stand under one name.
  const heading = `${name} ${minute}`
  const last = log.lastElementChild
  item.id = id
  item.dataset.heading = heading
  item.classList.toggle('mine', mine)
  item.classList.toggle('follows', last instanceof HTMLElement && last.dataset.heading === heading)
  for (const each of item.querySelectorAll('time')) {
    each.dateTime = date.toISOString()
    each.title = calendar.format(date)
  }
  append(item, mine)
}

/**
 * @param {string} name
 * @param {string} what
 */
export function showNotice(name, what) {
  append(fill('notice', { name, what }), false)
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
