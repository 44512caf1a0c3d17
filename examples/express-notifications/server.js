/** @import { AddressInfo } from 'node:net' */
/** @import { Request } from 'express' */
import { Comet } from 'comet-sse'
import { cometExpress } from 'comet-sse/express'
import express from 'express'

const { PORT = '3000', HOST = '127.0.0.1' } = process.env
const app = express()
const comet = new Comet()

// Who a request is from. The demo believes the URL; a real app asks its own session: `req.session.userId`.
const identify = (/** @type {Request} */ req) =>
  typeof req.query.uid === 'string' ? req.query.uid : undefined

app.get('/', (_req, res) => res.sendFile('index.html', { root: import.meta.dirname }))
app.use('/comet', cometExpress(comet, { identify }))

// A real app would also ask whether the sender may notify this user.
app.use(express.json())
app.post('/notify/:uid', async (req, res) => {
  const text = req.body?.text
  if (typeof text !== 'string' || text === '' || text.length > 1_000) {
    res.status(400).json({ error: 'text must have 1 to 1,000 characters' })
    return
  }
  await comet.publish({ uid: req.params.uid, evt: { event: 'notification', data: { text } } })
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
    // Browsers open spare connections, which would keep the server waiting.
    setTimeout(() => server.closeAllConnections(), 1_000).unref()
  })
}
