/** @import { ChatEvents, FromPage, Room, RoomView } from '../events.js' */
import { get, newId, oneByOne, post, Refused, urlOf } from './requests.js'
import * as view from './view.js'

// Each tab has a name of its own, so that two windows can be two people.
let name = sessionStorage.getItem('name') ?? ''
let room = sessionStorage.getItem('room') ?? 'lobby'

/** By it the server knows this page when EventSource comes back, and gives it its connection and rooms again. */
const clientId = newId()
/** There is none before somebody came in and after they signed out. @type {EventSource | undefined} */
let source
/** What the server calls this connection: packets go to it. @type {string | undefined} */
let sid
/** The rooms this connection is in. @type {Set<string>} */
let rooms = new Set()
/** What came while the room was being fetched. @type {{ event: keyof ChatEvents, data: string }[] | undefined} */
let early
/** Who is in the room. @type {Set<string>} */
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
  source = new EventSource(urlOf('/comet', { name, clientId }))
  source.addEventListener('comet.ready', ({ data }) => {
    const ready = JSON.parse(data)
    sid = ready.sid
    rooms = new Set(ready.rooms)
    view.say('')
    // Gone for a moment, the page still is in its room, and is sent what it missed.
    goTo(undefined)
  })
  // More was missed than the server has kept.
  source.addEventListener('comet.gap', () => {
    if (rooms.has(room)) refresh()
  })
  source.addEventListener('comet.close', ({ data }) => {
    const { code, reason, reconnect } = JSON.parse(data)
    if (!reconnect) quit(code === 'BYE' ? '' : reason)
  })
  source.addEventListener('message', ({ data }) => {
    const message = JSON.parse(data)
    if (early === undefined) show(message)
    else early.push(message)
  })
  source.addEventListener('error', () => {
    sid = undefined
    const lost = source?.readyState === EventSource.CLOSED
    view.say(lost ? 'The connection is lost. Please reload the page.' : 'Reconnecting…')
  })
}

/** Fetches the room as it is. What the stream brings meanwhile is newer, and is shown after it. */
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
    view.showMembers(members, name)
    view.showRooms(all, room)
    for (const message of now.messages) handlers.chat(message)
    for (const message of meanwhile) show(message)
  } catch {
    setTimeout(() => early === meanwhile && refresh(), 2_000)
  }
}

/** @type {{ [Event in keyof ChatEvents]: (data: ChatEvents[Event]) => void }} */
const handlers = {
  chat: (message) => view.showMessage(message, message.name === name),
  enter: (who) => {
    members.add(who.name)
    view.showMembers(members, name)
    view.showNotice(who.name, 'came in')
  },
  leave: (who) => {
    members.delete(who.name)
    view.showMembers(members, name)
    view.showNotice(who.name, 'left')
  },
  typing: (who) => view.showTyping(who.name),
  room: (about) => view.showRoom(about, room),
}

/** @param {{ event: keyof ChatEvents, data: string }} message */
function show({ event, data }) {
  const content = JSON.parse(data)
  if (event === 'room' || content.room === room) handlers[event]?.(content)
}

const send = oneByOne(async (/** @type {object} */ packet) => {
  if (sid === undefined) throw new Error('Not connected')
  await post(urlOf(`/comet/${sid}`, { name }), packet)
})

/** @param {FromPage} message */
function tell(message) {
  // With an id a packet counts once, even if the browser sends it again because the connection broke.
  return send({ type: 'SEND', send: { id: newId(), evt: JSON.stringify(message) } })
}

/**
 * Goes to a room, or makes sure of the one that is shown. Enters it before it leaves others, so that a refusal
 * changes nothing.
 */
const goTo = oneByOne(async (/** @type {string | undefined} */ chosen) => {
  const next = chosen ?? room
  const held = rooms
  const wasThere = held.has(next)
  if (!wasThere) {
    // The room is shown as it was: what comes now belongs after what is fetched.
    if (next === room) early ??= []
    try {
      await send({ type: 'JOIN', join: { rid: next } })
    } catch {
      if (sid !== undefined) view.say('That room cannot be opened.')
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
    // Where this fails, comet.ready will name the room again.
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
    view.say('')
  } catch {
    view.giveBack(text)
    view.say('Not sent. Please try again.')
  }
}

function typing() {
  if (Date.now() - lastTyping < 2_000) return
  lastTyping = Date.now()
  tell({ room, typing: true }).catch(() => {})
}

/** Says goodbye, so that the others see it at once: a page that only disappears may be a reload. */
async function signOut() {
  await send({ type: 'BYE' }).catch(() => {})
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
