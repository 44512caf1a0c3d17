const { Comet } = require('comet-sse')
const { cometKoa } = require('comet-sse/koa')
const Koa = require('koa')

const comet = new Comet({ canEnter: () => true, offlineGrace: 50 })
const app = new Koa()
app.use(cometKoa(comet, { serveClient: true, path: '/comet', identify: (ctx) => ctx.get('x-user') }))

const server = app.listen(0, '127.0.0.1', async () => {
  const { useComet } = await import('./use-comet.mjs')
  await useComet(comet, `http://127.0.0.1:${server.address().port}/comet`)
  await comet.close()
  server.close()
})
