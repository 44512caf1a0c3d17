import { once } from 'node:events'
import { Comet } from 'comet-sse'
import { cometExpress } from 'comet-sse/express'
import express from 'express'
import { useComet } from './use-comet.mjs'

const comet = new Comet({ canEnter: () => true, offlineGrace: 50 })
const app = express()
app.use('/comet', cometExpress(comet, { serveClient: true, identify: async (req) => req.get('x-user') }))

const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')
await useComet(comet, `http://127.0.0.1:${server.address().port}/comet`)
await comet.close()
server.close()
