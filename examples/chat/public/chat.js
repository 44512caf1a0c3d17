/** @import { ChatEvents, FromPage, Room, RoomView } from '../events.js' */
import { get, oneByOne, post, Refused, urlOf } from './requests.js'
import * as view from './view.js'

// Each tab has a name of its own, so that two windows can be two people.
let name = sessionStorage.getItem('name') ?? ''
let room = sessionStorage.getItem('room') ?? 'lobby'

/** There is none before somebody came in and after they signed out. @type {EventSource | undefined} */
let source
/** What the server calls this connection: packets go to it. @type {string | undefined} */
let sid
/** What came while the room was being fetched. @type {{ event: keyof ChatEvents, data: string }[] | undefined} */
let early
/** Who is in the room. @type {Set<string>} */
let members = new Set()
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer
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
  source = new EventSource(urlOf('/comet', { name, rid: room }))
  source.addEventListener('comet.ready', ({ data }) => {
    sid = JSON.parse(data).sid
    view.say('')
    refresh()
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
  source.addEventListener('error', comeBack)
}

/** EventSource would come back by itself, but to the room it was made for, which may not be the one of now. */
function comeBack() {
  if (source === undefined) return
  source.close()
  sid = undefined
  view.say('Reconnecting…')
  clearTimeout(timer)
  timer = setTimeout(connect, 1_000 + 2_000 * Math.random())
}

/** Fetches the room as it is. What the stream brings meanwhile is newer, and is shown after it. */
async function refresh() {
  /** @type {typeof early} */
  const meanwhile = []
  early = meanwhile
  try {
    /** @type {[Room[], RoomView]} */
    const [rooms, now] = await Promise.all([
      get(urlOf('/rooms', { name })),
      get(urlOf('/room', { name, rid: room })),
    ])
    if (early !== meanwhile) return
    early = undefined
    members = new Set(now.members)
    view.showMembers(members, name)
    view.showRooms(rooms, room)
    for (const message of now.messages) handlers.chat(message)
    for (const message of meanwhile) show(message)
  } catch {
    if (early === meanwhile) comeBack()
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
  return send({ type: 'SEND', send: { evt: JSON.stringify(message) } })
}

/** Enters the next room before it leaves the last one, so that a refusal changes nothing. */
const openRoom = oneByOne(async (/** @type {string} */ next) => {
  if (next === room) return
  try {
    await send({ type: 'JOIN', join: { rid: next } })
  } catch {
    view.say('That room cannot be opened.')
    return
  }
  const last = room
  room = next
  sessionStorage.setItem('room', room)
  view.startRoom(room)
  refresh()
  await send({ type: 'LEAVE', leave: { rid: last } }).catch(comeBack)
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
  clearTimeout(timer)
  source = sid = early = undefined
  sessionStorage.removeItem('name')
  view.showDoor(name, reason)
}

view.listen({ signIn, signOut, openRoom, write, typing })
if (name === '') view.showDoor()
else signIn(name)
