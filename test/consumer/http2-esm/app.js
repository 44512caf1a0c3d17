import { once } from 'node:events'
import http2 from 'node:http2'
import { Readable } from 'node:stream'
import { Comet } from 'comet-sse'
import { cometHandler } from 'comet-sse/node'
import { useComet } from './use-comet.mjs'

const comet = new Comet({ canEnter: () => true, offlineGrace: 50 })
const server = http2.createServer(
  cometHandler(comet, { serveClient: true, path: '/comet', identify: (req) => req.headers['x-user'] }),
)
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const origin = `http://127.0.0.1:${server.address().port}`
const client = http2.connect(origin)
await useComet(comet, `${origin}/comet`, fetchOver(client))
client.close()
await comet.close()
server.close()

/** `fetch` over HTTP/2 without TLS, which the built-in one does not speak. */
function fetchOver(client) {
  return async (url, { method = 'GET', headers, body, signal }) => {
    const { pathname, search } = new URL(url)
    const pseudo = { ':method': method, ':path': pathname + search }
    const stream = client.request({ ...pseudo, ...headers }, { signal })
    // An aborted stream errors; its reader is told by its end.
    stream.on('error', () => {}).end(body)
    const [{ ':status': status, 'content-type': type }] = await once(stream, 'response')
    if (method === 'GET')
      return new Response(Readable.toWeb(stream), { status, headers: { 'content-type': type } })
    stream.resume()
    return new Response(null, { status })
  }
}
