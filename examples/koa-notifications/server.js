/** @import { AddressInfo } from 'node:net' */
/** @import { Context } from 'koa' */
import { readFile } from 'node:fs/promises'
import { bodyParser } from '@koa/bodyparser'
import { Comet } from 'comet-sse'
import { cometKoa } from 'comet-sse/koa'
import Koa from 'koa'

const { PORT = '3000', HOST = '127.0.0.1' } = process.env
const page = await readFile(new URL('../notifications/page.html', import.meta.url), 'utf8')
const app = new Koa()
const comet = new Comet()

// Tells which user a request is from. This demo trusts the URL. A real app uses its session: `ctx.session.userId`.
const identify = (/** @type {Context} */ ctx) =>
  typeof ctx.query.uid === 'string' ? ctx.query.uid : undefined

app.use(cometKoa(comet, { path: '/comet', identify }))
app.use(bodyParser())

app.use(async (ctx, next) => {
  if (ctx.method !== 'GET' || ctx.path !== '/') return await next()
  ctx.type = 'html'
  ctx.body = page
})

// A real app also checks that the sender may notify this user.
app.use(async (ctx, next) => {
  const uid = /^\/notify\/([^/]+)$/.exec(ctx.path)?.[1]
  if (ctx.method !== 'POST' || uid === undefined) return await next()
  const { text } = /** @type {{ text?: unknown }} */ (ctx.request.body ?? {})
  if (typeof text !== 'string' || text === '' || text.length > 1_000) {
    ctx.throw(400, 'text must have 1 to 1,000 characters')
  }
  await comet.publish({ uid: decodeURIComponent(uid), event: 'notification', data: { text } })
  ctx.status = 204
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
