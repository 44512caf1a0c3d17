// A Comet that Go-Micro services publish to over NATS, and a program that stands for such a service.
/** @import { AddressInfo } from 'node:net' */
/** @import { Request } from 'express' */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { connect } from '@nats-io/transport-node'
import { Comet, MemoryBroker } from 'comet-sse'
import { cometExpress } from 'comet-sse/express'
import { NatsBroker } from 'comet-sse/nats'
import express from 'express'
import { startNats } from './nats-server.js'

const { PORT = '3000', HOST = '127.0.0.1', NATS_URL } = process.env
// With it Comets sign what Go's Event cannot say. A restart must have the same: JetStream still has signed events.
const { COMET_SECRET = 'no secret in an example' } = process.env

/** What ends at the end, the last one first. @type {(() => unknown)[]} */
const ends = []
let isEnding = false
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, async () => {
    // A terminal and a parent process may send one each.
    if (isEnding) return
    isEnding = true
    for (const end of ends.reverse()) await end()
  })
}

let natsUrl = NATS_URL
if (natsUrl === undefined) {
  const own = await startNats()
  ends.push(own.stop)
  natsUrl = own.url
}

// Detached, so that Ctrl+C ends it after the Comet and not with it.
const env = { ...process.env, NATS_URL: natsUrl }
const service = fork(join(import.meta.dirname, 'service.js'), { env, detached: true })
ends.push(async () => {
  if (!service.connected) return
  service.disconnect()
  await once(service, 'exit')
})
await once(service, 'message')

const nats = await connect({ servers: natsUrl, maxReconnectAttempts: -1 })
ends.push(() => nats.close())

// This process knows by itself who is online. Several processes know it from a Redis, which also has a secret for them:
// { ...redisCluster(redis), broker: new NatsBroker(nats, { jetstream: true }) }
const { presence, controller } = new MemoryBroker()
const comet = new Comet({
  broker: new NatsBroker(nats, { jetstream: true, secret: COMET_SECRET }),
  presence,
  controller,
  // All topics begin with it.
  namespace: 'io.goeasy',
  // The Go services get HEARD, too, at most once a second for a user.
  heard: 'record',
  canEnter: ({ rid }) => rid === 'r1',
})
comet.on('error', (error) => console.error(error))

const app = express()

// Tells which user a request is from. This demo trusts the URL. A real app uses its session: `req.session.userId`.
const identify = (/** @type {Request} */ req) =>
  typeof req.query.uid === 'string' ? req.query.uid : undefined

app.get('/', (_req, res) => res.sendFile('page.html', { root: import.meta.dirname }))
app.use('/comet', cometExpress(comet, { identify }))

const server = app.listen(Number(PORT), HOST)
ends.push(async () => {
  await comet.close()
  server.close()
  // Browsers open spare connections. `server.close` waits for them, so end them after one second.
  setTimeout(() => server.closeAllConnections(), 1_000).unref()
})
await once(server, 'listening')
const { port } = /** @type {AddressInfo} */ (server.address())
console.log(`Go Micro: http://${HOST}:${port}`)
