/** @import { AddressInfo } from 'node:net' */
/** @import { ClientMessage } from 'comet-sse' */
/** @import { Request } from 'express' */
/** @import { ChatEvents, Room, RoomView } from './events.js' */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { Comet, CometError } from 'comet-sse'
import { cometExpress } from 'comet-sse/express'
import express from 'express'
import { isFixed, isName } from './rooms.js'
import { makeStore } from './store.js'

const { PORT = '3000', HOST = '127.0.0.1', REDIS_URL } = process.env
const app = express()

// One process needs nothing but itself. Several share a Redis: see `../cluster`.
const { rooms, cluster, closeStore } = await makeStore(REDIS_URL)

/** @type {Comet<ChatEvents>} */
const comet = new Comet({
  // Every room is open to every user. A real app checks here whether `uid` may enter `rid`.
  canEnter: ({ rid }) => rooms.mayOpen(rid),
  onMessage,
  ...cluster,
})

// Tells which user a request is from. This demo trusts the name in the URL, so anybody can take any name. A real app
// lets its users sign in, and reads the user from their session: `req.session.userId`.
const identify = (/** @type {Request} */ req) => (isName(req.query.name) ? req.query.name : undefined)

app.use((_req, res, next) => {
  res.set('Content-Security-Policy', "default-src 'self'; img-src 'self' data:")
  next()
})
app.use(express.static(join(import.meta.dirname, 'public')))
app.use('/comet', cometExpress(comet, { identify }))

app.get('/rooms', async (req, res) => {
  if (identify(req) === undefined) res.sendStatus(401)
  else res.json(await Promise.all((await rooms.names()).map(describe)))
})

app.get('/room', async (req, res) => {
  const room = String(req.query.rid)
  const members = await membersOf(room)
  /** @type {RoomView} */
  const view = { members, messages: await rooms.messagesOf(room) }
  // Only the members of a room may read its messages.
  if (members.includes(identify(req) ?? '')) res.json(view)
  else res.sendStatus(403)
})

comet.on('enter', ({ rid, uid }) => announce('enter', rid, uid))
comet.on('leave', ({ rid, uid }) => announce('leave', rid, uid))

comet.on('error', (error) => {
  // While Comet closes, all users leave their rooms. The hooks publish that too late: no stream is left.
  if (!(error instanceof CometError && error.code === 'SHUTTING_DOWN')) console.error(error)
})

/**
 * Tells the room that a user entered or left, and tells everybody how many users the room has now.
 *
 * @param {'enter' | 'leave'} event
 * @param {string} room
 * @param {string} name
 */
async function announce(event, room, name) {
  comet.publish({ rid: room, event, data: { room, name } }, { except: { uid: name } })
  await rooms.keepOrForget(room, await comet.count(room))
  await tellEverybody(room)
}

/**
 * Tells everybody how many users and messages a room has. Only the members of the room get the messages themselves.
 *
 * @param {string} room
 */
async function tellEverybody(room) {
  comet.publish({ event: 'room', data: await describe(room) })
}

/**
 * Handles a message from a page. An error that it throws becomes the answer to the page.
 *
 * @param {ClientMessage} message
 */
async function onMessage({ uid: name, evt, session }) {
  const { room, text, typing } = parse(evt)
  if (typeof room !== 'string') throw new CometError('INVALID_FIELD', 'room must be a text.')
  if (!session.rooms.includes(room)) throw new CometError('FORBIDDEN', 'Enter the room first.')
  if (typing === true) {
    const options = { except: { uid: name }, transient: true }
    await comet.publish({ rid: room, event: 'typing', data: { room, name } }, options)
    return
  }
  if (typeof text !== 'string' || text.trim() === '' || text.length > 1_000) {
    throw new CometError('INVALID_FIELD', 'text must have 1 to 1,000 characters.')
  }
  const message = await rooms.add({ id: randomUUID(), room, name, text: text.trim(), time: Date.now() })
  await comet.publish({ rid: room, event: 'chat', data: message })
  await tellEverybody(room)
}

/** @param {string} evt */
function parse(evt) {
  try {
    return Object(JSON.parse(evt))
  } catch {
    throw new CometError('INVALID_JSON')
  }
}

/** @param {string} room */
async function membersOf(room) {
  return (await comet.members(room)).map(({ uid }) => uid)
}

/**
 * @param {string} room
 * @returns {Promise<Room>}
 */
async function describe(room) {
  return { room, count: await comet.count(room), fixed: isFixed(room), last: await rooms.lastNumberOf(room) }
}

const server = app.listen(Number(PORT), HOST)
server.once('listening', () => {
  const { port } = /** @type {AddressInfo} */ (server.address())
  console.log(`Chat: http://${HOST}:${port}`)
})

let isEnding = false
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, async () => {
    // A terminal and a parent process may send one each.
    if (isEnding) return
    isEnding = true
    await comet.close()
    await closeStore()
    server.close()
    // Browsers open spare connections. `server.close` waits for them, so end them after one second.
    setTimeout(() => server.closeAllConnections(), 1_000).unref()
  })
}
