// Neither @types/express nor @types/koa is installed here: Express is installed without types, and Koa is not installed.
import http from 'node:http'
import { Comet, UserActivityEvent } from 'comet-sse'
import { cometExpress } from 'comet-sse/express'
import { cometKoa } from 'comet-sse/koa'
import { cometHandler } from 'comet-sse/node'

const comet = new Comet<{ chat: { text: string } }>()
comet.on('activity', ({ type }) => type === UserActivityEvent.Type.ONLINE)
comet.publish({ rid: 'lobby', evt: { event: 'chat', data: { text: 'hello' } } })
// @ts-expect-error
comet.publish({ evt: { event: 'chat', data: 1 } })

export const middleware = [
  cometExpress(comet, { identify: (req) => req.user?.id }),
  cometExpress(comet, { identify: (req: http.IncomingMessage) => req.headers.authorization }),
  cometKoa(comet, { path: '/comet', identify: (ctx) => ctx.state.user }),
]
// @ts-expect-error
cometExpress(comet, { identify: () => true })
// @ts-expect-error
cometKoa(comet, { identify: () => true })
http.createServer(cometHandler(comet, { identify: (req) => req.headers.authorization }))
