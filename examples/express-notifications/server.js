/** @import { AddressInfo } from 'node:net' */
/** @import { Request } from 'express' */
import { join } from 'node:path'
import { Comet } from 'comet-sse'
import { cometExpress } from 'comet-sse/express'
import express from 'express'

const { PORT = '3000', HOST = '127.0.0.1' } = process.env
const app = express()
const comet = new Comet()

// Tells which user a request is from. This demo trusts the URL. A real app uses its session: `req.session.userId`.
const identify = (/** @type {Request} */ req) =>
  typeof req.query.uid === 'string' ? req.query.uid : undefined

const pages = join(import.meta.dirname, '../notifications')
app.get('/', (_req, res) => res.sendFile('page.html', { root: pages }))
app.use('/comet', cometExpress(comet, { identify }))

// A real app also checks that the sender may notify this user.
app.use(express.json())
app.post('/notify/:uid', async (req, res) => {
  const text = req.body?.text
  if (typeof text !== 'string' || text === '' || text.length > 1_000) {
    res.status(400).json({ error: 'text must have 1 to 1,000 characters' })
    return
  }
  await comet.publish({ uid: req.params.uid, event: 'notification', data: { text } })
  res.sendStatus(204)
})

const server = app.listen(Number(PORT), HOST)
server.once('listening', () => {
  const { port } = /** @type {AddressInfo} */ (server.address())
  console.log(`Notifications: http://${HOST}:${port}`)
})

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await comet.close()
    server.close()
    // Browsers open spare connections. `server.close` waits for them, so end them after one second.
    setTimeout(() => server.closeAllConnections(), 1_000).unref()
  })
}
