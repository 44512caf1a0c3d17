import { within } from './inbox.ts'
import { head, openSocket } from './socket-client.ts'

const get = (target: string, ...lines: string[]) => head(`GET ${target} HTTP/1.1`, 'Host: x', ...lines)
const post = (...lines: string[]) => {
  const body = lines.pop() ?? ''
  const target = `/comet/AAAAAAAAAAA.${'A'.repeat(22)}`
  return (
    head(`POST ${target} HTTP/1.1`, 'Host: x', 'X-User: a', 'Content-Type: application/json', ...lines) + body
  )
}
const json = (body: string) => post(`Content-Length: ${body.length}`, body)

/** Requests over HTTP/1 that no sane client sends. */
export const malformedRequests: Record<string, string | Buffer> = {
  'a path of two slashes': get('//'),
  'a path of two slashes and a name': get('//comet'),
  'slashes behind the mount': get('/comet//'),
  'a path that goes up': get('/comet/../comet'),
  'a bare percent sign in the path': get('/comet/%'),
  'percent signs in the query': get('/comet?u=a&rid=%&rid=%zz&rid=%E0%A4%A'),
  'bytes that are no UTF-8 in the query': get('/comet?u=a&clientId=%ff%fe'),
  'a query without names': get('/comet?&&&==&=a&?'),
  'a query of 15,000 bytes': get(`/comet?u=a&x=${'y'.repeat(15_000)}`),
  'a query of 100,000 bytes': get(`/comet?u=a&x=${'y'.repeat(100_000)}`),
  'a thousand rooms': get(`/comet?u=a&${'rid=r&'.repeat(1_000)}`),
  'an asterisk': get('*'),
  'OPTIONS with an asterisk': head('OPTIONS * HTTP/1.1', 'Host: x'),
  'a host without a path': get('http://x'),
  'a fragment': get('/comet?u=a#there'),
  'an Accept of nothing': get('/comet?u=a', 'Accept:'),
  'an Accept of nonsense': get('/comet?u=a', 'Accept: ,;q=x;,,/'),
  'two values of Sec-Fetch-Site': get('/comet?u=a', 'Sec-Fetch-Site: none', 'Sec-Fetch-Site: cross-site'),
  'a Last-Event-ID of bytes': Buffer.from(get('/comet?u=a', 'Last-Event-ID: \xff\xfe\x80'), 'latin1'),
  'a header with a NUL': get('/comet?u=a', 'X-Y: a\0b'),
  'a header without a name': get('/comet?u=a', ': b'),
  'a folded header': get('/comet?u=a', 'X-Y: a', ' b'),
  'three thousand headers': get('/comet?u=a', ...Array.from({ length: 3_000 }, (_, i) => `h${i}: v`)),
  'no Host': head('GET /comet?u=a HTTP/1.1'),
  'an unknown version': head('GET /comet?u=a HTTP/9.9', 'Host: x'),
  'an upgrade': get('/comet?u=a', 'Connection: Upgrade', 'Upgrade: websocket'),
  'an expectation': get('/comet?u=a', 'Expect: the impossible'),
  CONNECT: head('CONNECT x:443 HTTP/1.1', 'Host: x'),
  TRACE: head('TRACE /comet HTTP/1.1', 'Host: x'),
  'an unknown method': head('DANCE /comet HTTP/1.1', 'Host: x'),
  'the preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'the beginning of a TLS handshake': Buffer.from('16030100a5010000a10303', 'hex'),
  'line feeds alone': 'GET /comet?u=a HTTP/1.1\nHost: x\n\n',
  nothing: '',
  'half a request': 'GET /com',
  'a GET with a body': `${get('/comet?u=a', 'Content-Length: 3')}abc`,
  'a negative Content-Length': post('Content-Length: -1', ''),
  'a Content-Length that is too large': post(`Content-Length: ${'9'.repeat(30)}`, ''),
  'two Content-Lengths': post('Content-Length: 2', 'Content-Length: 3', '{}'),
  'chunks and a Content-Length': post('Content-Length: 2', 'Transfer-Encoding: chunked', '0\r\n\r\n'),
  'a chunk without a size': post('Transfer-Encoding: chunked', 'zz\r\n{}\r\n'),
  'a content type of semicolons': head('POST /comet/x HTTP/1.1', 'Host: x', 'Content-Type: ;;;'),
  'JSON that is nested deep': json(`{"type":"HB","x":${'['.repeat(30_000)}${']'.repeat(30_000)}}`),
  'JSON with a prototype': json('{"__proto__":{"type":"BYE"},"constructor":{"prototype":1}}'),
  'JSON with a number that is too large': json('{"type":1e999}'),
  'JSON in an unknown charset': head(
    `POST /comet/AAAAAAAAAAA.${'A'.repeat(22)} HTTP/1.1`,
    ...['Host: x', 'X-User: a', 'Content-Type: application/json; charset=dancing', 'Content-Length: 0'],
  ),
}

/** No server answers these before the client ends its side. */
const UNFINISHED = ['nothing', 'half a request']

/**
 * Sends one of them over a connection of its own.
 *
 * @returns the status of the answer; undefined when the server closed the connection without one
 */
export async function sendMalformed(
  app: { readonly port: number },
  title: string,
): Promise<number | undefined> {
  const client = await openSocket(app)
  client.send(malformedRequests[title] as string | Buffer)
  if (UNFINISHED.includes(title)) client.socket.end()
  const response = await client.response().catch(() => undefined)
  if (response === undefined) await within(client.closed, 'the end of the connection')
  client.destroy()
  return response?.status
}
