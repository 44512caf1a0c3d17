import { Comet } from 'comet-sse'
import { type CometExpressOptions, cometExpress } from 'comet-sse/express'
import express, { type Request, type RequestHandler, Router } from 'express'
import { same } from './same.js'

declare global {
  namespace Express {
    /** The user, which a middleware adds to every request. */
    interface Request {
      user?: { id: string; roles: string[] }
    }
  }
}

const comet = new Comet<{ chat: { text: string } }>()
const app = express()

// The type of Express' Request is inferred, with the properties that the app added.
app.use('/comet', cometExpress(comet, { identify: (req) => req.user?.id }))
app.use(
  cometExpress(comet, { identify: async (req) => req.get('x-user'), crossSite: true, serveClient: true }),
)
Router().use(
  '/comet',
  cometExpress(comet, { identify: (req) => ({ uid: req.user?.id ?? 0, rooms: req.user?.roles ?? [] }) }),
)
cometExpress(comet, {
  identify: (req) => {
    same<typeof req, Request>(true)
    return { anonymous: true }
  },
})
cometExpress(comet, { identify: () => ({ uid: 1, rooms: [1, 2n, 'lobby'] }) })
// @ts-expect-error
cometExpress(comet, { identify: (req) => req.usr })
// @ts-expect-error
cometExpress(comet, { identify: (req) => req.user })
// @ts-expect-error
cometExpress(comet, {})

// `info` has the type that the Comet names.
const informed = new Comet<Record<string, unknown>, { name: string }>()
cometExpress(informed, { identify: () => ({ uid: 1, info: { name: 'Alice' } }) })
cometExpress(informed, { identify: () => 'alice' })
// @ts-expect-error
cometExpress(informed, { identify: () => ({ uid: 1, info: { name: 1 } }) })

// An app may give the request a type of its own.
interface SignedIn extends Request {
  account: { id: bigint }
}
app.use('/comet', cometExpress(comet, { identify: (req: SignedIn) => req.account.id }))
const options: CometExpressOptions = { identify: (req) => req.user?.id }
const handler: RequestHandler = cometExpress(comet, options)
app.use('/comet', express.json(), handler)
