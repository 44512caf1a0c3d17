import { once } from 'node:events'
import { Comet } from 'comet-sse'
import { cometKoa } from 'comet-sse/koa'
import Koa from 'koa'
import { useComet } from './use-comet.mjs'

const comet = new Comet({ canEnter: () => true, offlineGrace: 50 })
const app = new Koa()
app.use(async (ctx, next) => {
  ctx.state.user = ctx.get('x-user')
  await next()
})
app.use(cometKoa(comet, { serveClient: true, path: '/comet', identify: (ctx) => ctx.state.user }))

const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')
await useComet(comet, `http://127.0.0.1:${server.address().port}/comet`)
await comet.close()
server.close()
