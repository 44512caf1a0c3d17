/** @import { ChatEvents, FromPage, Room, RoomView } from '../events.js' */
import * as lists from './lists.js'
import * as log from './log.js'
import { get, newId, oneByOne, post, Refused, urlOf } from './requests.js'
import * as unread from './unread.js'
import * as view from './view.js'

// Each tab stores its own name, so two windows can be two users.
let name = sessionStorage.getItem('name') ?? ''
let room = sessionStorage.getItem('room') ?? 'lobby'

/** Identifies this page. When EventSource reconnects, the server gives the page its session and rooms back. */
const clientId = newId()
/** The stream. Undefined before the user signs in and after the user signs out. @type {EventSource | undefined} */
let source
/** The id of this page's session, to which packets are sent. @type {string | undefined} */
let sid
/** The id of the stream that the session is on now. @type {string | undefined} */
let connection
/** The rooms that the session is in. @type {Set<string>} */
let rooms = new Set()
/**
 * The events that arrived while the room was being fetched. Undefined while no fetch is running.
 *
 * @type {MessageEvent[] | undefined}
 */
let early
/** The names of the users in the room. @type {Set<string>} */
let members = new Set()
let lastTyping = 0

/** @param {string} chosen */
async function signIn(chosen) {
  name = chosen
  try {
    await get(urlOf('/rooms', { name }))
  } catch (error) {
    const refused = error instanceof Refused
    view.showDoor(name, refused ? 'Please choose another name.' : 'The server cannot be reached.')
    return
  }
  sessionStorage.setItem('name', name)
  view.showChat(name)
  view.startRoom(room)
  connect()
}

function connect() {
  view.showConnection('connecting')
  source = new EventSource(urlOf('/comet', { name, clientId }))
  source.addEventListener('comet.ready', ({ data }) => {
    const ready = JSON.parse(data)
    sid = ready.sid
    connection = ready.connection
    rooms = new Set(ready.rooms)
    view.showConnection('online')
    view.showProblem('')
    // After a reconnect the session is still in its room, and the events that the page missed follow.
    goTo(undefined)
  })
  // The page missed events that the server no longer has: load the room anew.
  source.addEventListener('comet.gap', () => {
    if (rooms.has(room)) refresh()
  })
  source.addEventListener('comet.close', ({ data }) => {
    const { code, reason, reconnect } = JSON.parse(data)
    if (!reconnect) quit(code === 'BYE' ? '' : reason)
  })
  for (const name of Object.keys(handlers)) {
    source.addEventListener(name, (event) => {
      if (early === undefined) show(event)
      else early.push(event)
    })
  }
  source.addEventListener('error', () => {
    sid = undefined
    view.showConnection(source?.readyState === EventSource.CLOSED ? 'ended' : 'offline')
  })
}

/** Fetches the state of the room. Events that the stream brings meanwhile are newer, so they are shown after it. */
async function refresh() {
  /** @type {typeof early} */
  const meanwhile = early?.slice() ?? []
  early = meanwhile
  try {
    /** @type {[Room[], RoomView]} */
    const [all, now] = await Promise.all([
      get(urlOf('/rooms', { name })),
      get(urlOf('/room', { name, rid: room })),
    ])
    if (early !== meanwhile) return
    early = undefined
    members = new Set(now.members)
    lists.showMembers(members, name)
    unread.correct(all)
    lists.keepRooms(all)
    for (const message of now.messages) handlers.chat(message)
    for (const about of all) handlers.room(about)
    for (const event of meanwhile) show(event)
  } catch {
    setTimeout(() => early === meanwhile && refresh(), 2_000)
  }
}

/** @type {{ [Name in keyof ChatEvents]: (data: ChatEvents[Name]) => void }} */
const handlers = {
  chat: (message) => {
    log.showMessage(message, message.name === name)
    view.endTyping(message.name)
    unread.see(message)
  },
  enter: (who) => {
    members.add(who.name)
    lists.showMembers(members, name)
    log.showNotice(who.name, 'came in')
  },
  leave: (who) => {
    members.delete(who.name)
    lists.showMembers(members, name)
    log.showNotice(who.name, 'left')
  },
  typing: (who) => view.showTyping(who.name),
  room: (about) => lists.showRoom(about, room, about.room === room ? 0 : unread.unreadIn(about)),
}

/** Shows an event, unless it is about another room. @param {MessageEvent} event */
function show({ type, data }) {
  const content = JSON.parse(data)
  if (type === 'room' || content.room === room) handlers[/** @type {keyof ChatEvents} */ (type)](content)
}

const send = oneByOne(async (/** @type {object} */ packet) => {
  if (sid === undefined) throw new Error('Not connected')
  await post(urlOf(`/comet/${sid}`, { name }), packet)
})

/** @param {FromPage} message */
function tell(message) {
  // The id makes a repeat harmless: the browser may send the packet again because the connection broke.
  return send({ type: 'SEND', send: { id: newId(), evt: JSON.stringify(message) } })
}

/**
 * Goes to a room, or without an argument enters the shown room again if the session is not in it. Enters the room
 * before it leaves others, so that a refusal changes nothing.
 */
const goTo = oneByOne(async (/** @type {string | undefined} */ chosen) => {
  const next = chosen ?? room
  const held = rooms
  const wasThere = held.has(next)
  if (!wasThere) {
    // The page still shows the old state of the room. New messages must come after the state that is fetched.
    if (next === room) early ??= []
    try {
      await send({ type: 'JOIN', join: { rid: next } })
    } catch {
      if (sid !== undefined) view.showProblem('That room cannot be opened.')
      return
    }
    held.add(next)
  }
  if (next !== room) {
    room = next
    sessionStorage.setItem('room', room)
    view.startRoom(room)
    refresh()
  } else if (!wasThere) {
    refresh()
  }
  for (const other of held) {
    if (other === room) continue
    // If this fails, the next comet.ready names the room again.
    await send({ type: 'LEAVE', leave: { rid: other } })
      .then(() => held.delete(other))
      .catch(() => {})
  }
})

/** @param {string} text */
async function write(text) {
  lastTyping = 0
  try {
    await tell({ room, text })
    view.showProblem('')
  } catch {
    view.giveBack(text)
    view.showProblem('Not sent. Please try again.')
  }
}

function typing() {
  if (Date.now() - lastTyping < 2_000) return
  lastTyping = Date.now()
  tell({ room, typing: true }).catch(() => {})
}

/** Sends BYE, so that the others see at once that the user left. A page that disappears sends none: it may be a reload. */
async function signOut() {
  await send({ type: 'BYE', bye: { connection } }).catch(() => {})
  quit('')
}

/** @param {string} reason */
function quit(reason) {
  source?.close()
  source = sid = early = undefined
  rooms = new Set()
  sessionStorage.removeItem('name')
  view.showDoor(name, reason)
}

view.listen({ signIn, signOut, openRoom: goTo, write, typing })
if (name === '') view.showDoor()
else signIn(name)
