import assert from 'node:assert/strict'
import fc from 'fast-check'
import { connect, head, openSocket } from '../support/clients.ts'
import { adapters, type Host, http1Adapters } from '../support/http.ts'
import { within } from '../support/inbox.ts'
import { parsersOf } from '../support/parsers.ts'
import '../support/process-guard.ts'

const get = (target: string, ...lines: string[]) => head(`GET ${target} HTTP/1.1`, 'Host: x', ...lines)
const post = (...lines: string[]) => {
  const body = lines.pop() ?? ''
  const target = `/comet/AAAAAAAAAAA.${'A'.repeat(22)}`
  return (
    head(`POST ${target} HTTP/1.1`, 'Host: x', 'X-User: a', 'Content-Type: application/json', ...lines) + body
  )
}
const json = (body: string) => post(`Content-Length: ${body.length}`, body)

const garbage: Record<string, string | Buffer> = {
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
  'a version that is none': head('GET /comet?u=a HTTP/9.9', 'Host: x'),
  'an upgrade': get('/comet?u=a', 'Connection: Upgrade', 'Upgrade: websocket'),
  'an expectation': get('/comet?u=a', 'Expect: the impossible'),
  CONNECT: head('CONNECT x:443 HTTP/1.1', 'Host: x'),
  TRACE: head('TRACE /comet HTTP/1.1', 'Host: x'),
  'a method that nobody knows': head('DANCE /comet HTTP/1.1', 'Host: x'),
  'the preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'the begin of a TLS handshake': Buffer.from('16030100a5010000a10303', 'hex'),
  'line feeds alone': 'GET /comet?u=a HTTP/1.1\nHost: x\n\n',
  nothing: '',
  'half a request': 'GET /com',
  'a body of a GET': `${get('/comet?u=a', 'Content-Length: 3')}abc`,
  'a Content-Length below zero': post('Content-Length: -1', ''),
  'a Content-Length beyond all numbers': post(`Content-Length: ${'9'.repeat(30)}`, ''),
  'two Content-Lengths': post('Content-Length: 2', 'Content-Length: 3', '{}'),
  'chunks and a Content-Length': post('Content-Length: 2', 'Transfer-Encoding: chunked', '0\r\n\r\n'),
  'a chunk without a size': post('Transfer-Encoding: chunked', 'zz\r\n{}\r\n'),
  'a content type of semicolons': head('POST /comet/x HTTP/1.1', 'Host: x', 'Content-Type: ;;;'),
  'JSON that is nested deep': json(`{"type":"HB","x":${'['.repeat(30_000)}${']'.repeat(30_000)}}`),
  'JSON with a prototype': json('{"__proto__":{"type":"BYE"},"constructor":{"prototype":1}}'),
  'JSON with a number beyond all': json('{"type":1e999}'),
  'JSON in a charset that nobody knows': head(
    `POST /comet/AAAAAAAAAAA.${'A'.repeat(22)} HTTP/1.1`,
    ...['Host: x', 'X-User: a', 'Content-Type: application/json; charset=dancing', 'Content-Length: 0'],
  ),
}

for (const adapter of http1Adapters) {
  for (const parser of parsersOf(adapter).slice(0, 2)) {
    describe(`A raw client behind ${adapter.name} with ${parser.name}`, () => {
      let host: Host

      before(async () => {
        host = await adapter.host({ before: parser.before, comet: { offlineGrace: 0, canEnter: () => true } })
      })
      after(() => host.close())

      /** Sends it, waits for what comes, and leaves. @returns the status, 0 for none */
      const send = async (bytes: string | Buffer) => {
        const client = await openSocket(host)
        client.send(bytes)
        // A host may not answer what is not complete: then the end of our side tells it.
        const response = await Promise.race([
          client.response().catch(() => undefined),
          new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 50)),
        ])
        client.socket.end()
        if (response === undefined) await within(client.closed, 'the end of the connection')
        client.destroy()
        return response?.status ?? 0
      }

      const isAlive = async () => {
        const { next, destroy } = await connect(host, 'alice')
        await host.comet.publish({ uid: 'alice', evt: 'hi' })
        assert.equal((await next('message')).data, 'hi')
        destroy()
      }

      for (const [title, bytes] of Object.entries(garbage)) {
        it(`may send ${title}: the host lives on and has not failed`, async () => {
          const status = await send(bytes)
          assert.ok(status < 500, `status ${status}`)
          assert.deepEqual(host.errors, [])
          await isAlive()
        })
      }
    })
  }

  describe(`A raw client that makes mistakes behind ${adapter.name}`, () => {
    it('never brings the host down', async () => {
      const host = await adapter.host()
      after(() => host.close())
      const whole = get('/comet/?u=a&rid=b', 'Accept: */*') + json('{"type":"HB"}')
      const mistakes = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), {
        minLength: 1,
        maxLength: 4,
      })
      await fc.assert(
        fc.asyncProperty(mistakes, async (changes) => {
          const bytes = Buffer.from(whole, 'latin1')
          for (const [at, byte] of changes) bytes[at] = byte
          const client = await openSocket(host)
          client.send(bytes)
          await client.response().catch(() => undefined)
          client.destroy()
          await client.closed
        }),
        { numRuns: 60 },
      )
      assert.deepEqual(host.errors, [])
      assert.equal((await connect(host, 'alice')).ready.uid, 'alice')
    })
  })
}

for (const adapter of adapters.filter(({ http2 }) => http2)) {
  describe(`A raw client behind ${adapter.name}`, () => {
    const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'

    for (const [title, bytes] of Object.entries({
      'a request of HTTP/1.1': get('/comet?u=a'),
      'bytes that are no frames': Buffer.from(`${preface}${'\xff'.repeat(500)}`, 'latin1'),
      'a preface and then nothing': preface,
      'a frame that is too large': Buffer.concat([
        Buffer.from(preface),
        Buffer.from('ffffff0000ffffffff', 'hex'),
      ]),
    })) {
      it(`may send ${title}: the host lives on`, async () => {
        const host = await adapter.host()
        after(() => host.close())
        const client = await openSocket(host)
        client.send(bytes)
        client.socket.end()
        await within(client.closed, 'the end of the connection')
        assert.deepEqual(host.errors, [])
        assert.equal((await connect(host, 'alice')).ready.uid, 'alice')
      })
    }
  })
}
