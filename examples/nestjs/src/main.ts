import 'reflect-metadata'
import { join } from 'node:path'
import { NestFactory } from '@nestjs/core'
import type { NestExpressApplication } from '@nestjs/platform-express'
import { Comet } from 'comet-sse'
import { cometExpress } from 'comet-sse/express'
import { AppModule } from './app.module.js'

const { PORT = '3000', HOST = '127.0.0.1' } = process.env

// Browsers hold spare connections open. `forceCloseConnections` ends them at a shutdown.
const app = await NestFactory.create<NestExpressApplication>(AppModule, {
  forceCloseConnections: true,
  logger: ['error', 'warn'],
})
app.enableShutdownHooks()

// Tells which user a request is from. This demo trusts the URL. A real app reads the user from its session or token.
// Comet is a middleware, so Nest's guards do not run for it: `identify` is the guard of the stream.
app.use(
  '/comet',
  cometExpress(app.get(Comet), {
    identify: ({ query: { name } }) => (typeof name === 'string' ? name : undefined),
  }),
)
app.useStaticAssets(join(import.meta.dirname, '../public'))

await app.listen(Number(PORT), HOST)
console.log(`Lobby: ${await app.getUrl()}`)
