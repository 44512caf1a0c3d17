import { join } from 'node:path'
import { Comet, CometError } from 'comet-sse'
import { cometExpress } from 'comet-sse/express'
import express from 'express'
import type { Events } from './events.ts'

const { PORT = '3000', HOST = '127.0.0.1' } = process.env
const app = express()

const comet = new Comet<Events>({
  canEnter: ({ rid }) => rid === 'lobby',

  // Handles what a page sends: { event: 'say', data: { text } } as JSON. An error becomes the answer to the page.
  async onMessage({ uid: name, evt, session }) {
    if (!session.rooms.includes('lobby')) throw new CometError('FORBIDDEN', 'Enter the lobby first.')
    const { event, data } = parse(evt)
    const text = data?.text
    if (event !== 'say' || typeof text !== 'string' || text === '' || text.length > 1_000) {
      throw new CometError(
        'INVALID_FIELD',
        'Send { event: "say", data: { text } } with 1 to 1,000 characters.',
      )
    }
    await comet.publish({ rid: 'lobby', event: 'said', data: { name, text } })
  },
})

comet.on('enter', ({ rid, uid: name }) => comet.publish({ rid, event: 'came', data: { name } }))
comet.on('leave', ({ rid, uid: name }) => comet.publish({ rid, event: 'went', data: { name } }))
comet.on('error', console.error)

function parse(evt: string): { event?: unknown; data?: { text?: unknown } } {
  try {
    return Object(JSON.parse(evt))
  } catch {
    throw new CometError('INVALID_JSON')
  }
}

// Tells which user a request is from. This demo trusts the URL. A real app reads the user from its session.
app.use(
  '/comet',
  cometExpress(comet, { identify: ({ query: { name } }) => (typeof name === 'string' ? name : undefined) }),
)
// The built page. In development Vite serves the page, and passes /comet on to here.
app.use(express.static(join(import.meta.dirname, 'dist')))

const server = app.listen(Number(PORT), HOST, () => {
  const address = server.address()
  if (typeof address === 'object') console.log(`API: http://${HOST}:${address?.port}`)
})

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await comet.close({ drain: 2_000 })
    server.close()
    // Browsers open spare connections. `server.close` waits for them, so end them after one second.
    setTimeout(() => server.closeAllConnections(), 1_000).unref()
  })
}
