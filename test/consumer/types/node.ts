import http, { type IncomingMessage } from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import { Comet } from 'comet-sse'
import { cometHandler } from 'comet-sse/node'

const comet = new Comet<{ chat: { text: string } }>()
const handler = cometHandler(comet, { path: '/comet', identify: (req) => req.headers.authorization })

http.createServer(cometHandler(comet, { identify: (req) => req.headers['x-user']?.toString() }))
http2.createServer(cometHandler(comet, { identify: () => null, crossSite: true, serveClient: true }))
https.createServer({}, handler)
http2.createSecureServer({ allowHTTP1: true }, handler)
http.createServer((req, res) => handler(req, res, (error) => res.end(String(error))))
// @ts-expect-error
cometHandler(comet, { identify: (req) => req.user })
// @ts-expect-error
cometHandler(comet)

// An app may give the request a type of its own.
interface NextRequest extends IncomingMessage {
  cookies: Record<string, string>
}
cometHandler(comet, { identify: ({ cookies }: NextRequest) => ({ uid: cookies.uid ?? '', expiresAt: null }) })
// @ts-expect-error
cometHandler(comet, { identify: (req: { cookies: string }) => req.cookies })
