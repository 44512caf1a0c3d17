const { Comet } = require('comet-sse')
const { cometExpress } = require('comet-sse/express')
const express = require('express')

const comet = new Comet({ canEnter: () => true, offlineGrace: 50 })
const app = express()
app.use(express.json())
app.use('/comet', cometExpress(comet, { serveClient: true, identify: (req) => req.get('x-user') }))

const server = app.listen(0, '127.0.0.1', async () => {
  const { useComet } = await import('./use-comet.mjs')
  await useComet(comet, `http://127.0.0.1:${server.address().port}/comet`)
  await comet.close()
  server.close()
})
