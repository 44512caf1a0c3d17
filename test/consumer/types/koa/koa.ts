import { Comet } from 'comet-sse'
import { type CometKoaOptions, cometKoa } from 'comet-sse/koa'
import Koa from 'koa'
import { same } from '../same.js'

const comet = new Comet<{ chat: { text: string } }>()
const app = new Koa()

// The type of Koa's Context is inferred.
app.use(cometKoa(comet, { path: '/comet', identify: (ctx) => ctx.state.user }))
app.use(
  cometKoa(comet, { identify: async (ctx) => ctx.cookies.get('user'), crossSite: true, serveClient: true }),
)
cometKoa(comet, {
  identify: (ctx) => {
    same<typeof ctx, Koa.Context>(true)
    return false
  },
})
// @ts-expect-error
cometKoa(comet, { identify: (ctx) => ctx.ip.length > 0 })
// @ts-expect-error
cometKoa(comet, { path: '/comet' })

// An app may give the context a type of its own.
interface State {
  user?: { id: string }
}
const typed = new Koa<State>()
typed.use(cometKoa(comet, { identify: (ctx) => ctx.state.user.id }))
typed.use(cometKoa(comet, { identify: (ctx: Koa.ParameterizedContext<State>) => ctx.state.user?.id }))
// @ts-expect-error
typed.use(cometKoa(comet, { identify: (ctx: Koa.ParameterizedContext<State>) => ctx.state.user }))
const options: CometKoaOptions = { identify: (ctx) => ctx.get('x-user') }
const middleware: Koa.Middleware = cometKoa(comet, options)
app.use(middleware)
