import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { CometOptions } from '../../../lib/index.ts'
import { type TestApp, takeFailures } from '../../support/apps.ts'
import { connect, head, openSocket, postPacket, request } from '../../support/clients.ts'
import { until, within } from '../../support/inbox.ts'
import { malformedRequests, sendMalformed } from '../../support/malformed-requests.ts'
import { drainOf, type Parser, parsersOf } from '../../support/parsers.ts'
import type { Contract } from './part.ts'

const TEXT = 'hi, ü and 🚀'
const PACKET = JSON.stringify({ type: 'SEND', send: { evt: TEXT } })
const LENGTH = `Content-Length: ${Buffer.byteLength(PACKET)}`

/** Answers with what came, a few turns later: a request counts as destroyed once its body was read. */
const echo: CometOptions = {
  onMessage: async ({ evt }) => {
    for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate)
    return { echo: evt }
  },
}

/** Bodies of packets, whatever of the app has read them before. */
export function bodies({ adapter, start }: Contract): void {
  const parsers = parsersOf(adapter)

  /** Calls `use` with an app behind each body parser, in which alice has a session. */
  const behindEach = async (
    comet: CometOptions,
    use: (app: TestApp, sid: string, parser: Parser) => Promise<void>,
  ) => {
    for (const parser of parsers) {
      const app = await start({ before: parser.before, comet: { packetRate: 1_000, ...comet } })
      const { sid } = await connect(app, 'alice')
      try {
        await use(app, sid, parser)
      } catch (error) {
        ;(error as Error).message = `Behind ${parser.name}: ${(error as Error).message}`
        throw error
      }
    }
  }

  describe('POST packet, the body', () => {
    it('may begin with a byte order mark, where it is read by Comet or left as text', async () => {
      await behindEach(echo, async (app, sid, { leaves }) => {
        // A parser of JSON refuses it by itself, or skips it.
        if (leaves === 'an object') return
        const headers = { 'x-user': 'alice', 'content-type': 'application/json' }
        const body = `\uFEFF${PACKET}`
        const answer = await request(app, { method: 'POST', path: `/${sid}`, headers, body })
        assert.deepEqual([answer.status, answer.json], [200, { echo: TEXT }])
      })
    })

    it('is understood behind every body parser', async () => {
      await behindEach(echo, async (app, sid) => {
        const headers = { 'x-user': 'alice', 'content-type': 'application/json' }
        const post = async (body: string) => {
          const answer = await request(app, { method: 'POST', path: `/${sid}`, headers, body })
          return [answer.status, answer.json?.error?.code ?? answer.json]
        }
        assert.deepEqual(await post('{"type":"HB"}'), [204, undefined])
        assert.deepEqual(await post(PACKET), [200, { echo: TEXT }])
        assert.deepEqual(await post('{"type":"DANCE"}'), [400, 'INVALID_FIELD'])
        const large = JSON.stringify({ type: 'SEND', send: { evt: 'ü'.repeat(32_768) } })
        assert.deepEqual(await post(large), [413, 'PACKET_TOO_LARGE'])
        assert.equal((await post(''))[0], 400)
        assert.deepEqual([app.errors, app.failures], [[], []])
        // A body parser may refuse these by itself, on the way of the app's own errors.
        for (const body of ['hello', '{"type":"HB"', '{"type":"HB"}{"type":"HB"}']) {
          assert.equal((await post(body))[0], 400, body)
        }
        for (const failure of takeFailures(app)) assert.equal((failure as { status?: number }).status, 400)
        assert.deepEqual(await post(PACKET), [200, { echo: TEXT }])
      })
    })

    it('gets 400 with advice when a middleware has read it and kept nothing', async () => {
      const app = await start({ before: [drainOf(adapter)] })
      const { sid } = await connect(app, 'alice')
      const answer = await postPacket(app, 'alice', sid, { type: 'HB' })
      assert.deepEqual([answer.status, answer.json.error.code], [400, 'INVALID_BODY'])
      assert.match(answer.json.error.message, /Mount Comet before it/)
    })

    if (adapter.http2) return

    const post = (sid: string, ...headers: string[]) =>
      head(
        `POST /comet/${sid} HTTP/1.1`,
        'Host: x',
        'X-User: alice',
        'Content-Type: application/json',
        ...headers,
      )

    it('may come in pieces, in chunks, after 100 Continue, or after others on its connection', async () => {
      const messages: string[] = []
      await behindEach({ onMessage: ({ evt }) => void messages.push(evt) }, async (app, sid) => {
        const client = await openSocket(app)
        client.send(post(sid, LENGTH))
        await client.trickle(PACKET)
        assert.equal((await client.response()).status, 204)

        client.send(post(sid, 'Transfer-Encoding: chunked'))
        for (const byte of Buffer.from(PACKET)) {
          client.send(Buffer.concat([Buffer.from('1\r\n'), Uint8Array.of(byte), Buffer.from('\r\n')]))
          await new Promise(setImmediate)
        }
        client.send('0\r\n\r\n')
        assert.equal((await client.response()).status, 204)

        await client.trickle(post(sid, LENGTH) + PACKET)
        assert.equal((await client.response()).status, 204)

        client.send(post(sid, LENGTH, 'Expect: 100-continue'))
        await until(() => client.bytes().includes('HTTP/1.1 100'), 'asked for')
        client.send(PACKET)
        assert.equal((await client.response()).status, 204)
        assert.deepEqual(messages.splice(0), Array(4).fill(TEXT))
        client.destroy()
      })
    })

    it('has no effect when the client goes or ends its side before its end, or sends more than it said', async () => {
      const messages: string[] = []
      await behindEach({ onMessage: ({ evt }) => void messages.push(evt) }, async (app, sid) => {
        const unfinished = `${post(sid, `Content-Length: ${PACKET.length + 1_000}`)}${PACKET}`
        const goes = await openSocket(app)
        const seen = once(app.server, 'request')
        goes.send(unfinished)
        await seen
        goes.destroy()

        const ends = await openSocket(app)
        ends.send(unfinished)
        ends.socket.end()
        await within(ends.closed, 'the end of the connection')

        const exceeds = await openSocket(app)
        exceeds.send(`${post(sid, 'Content-Length: 12')}${PACKET}`)
        assert.equal((await exceeds.response()).status, 400)
        await within(exceeds.closed, 'the end of the connection')

        await until(() => app.sockets.size === 1, 'only the stream left')
        assert.equal((await postPacket(app, 'alice', sid, { type: 'HB' })).status, 204)
        assert.deepEqual([messages, app.comet.stats().sessions], [[], 1])
        // A body parser may say on the way of the app's own errors that the request was aborted.
        takeFailures(app)
      })
    })

    it('gets 413 when it is too large: at once for its Content-Length, in chunks while it still comes', async () => {
      await behindEach({}, async (app, sid, { leaves }) => {
        const client = await openSocket(app)
        client.send(post(sid, 'Transfer-Encoding: chunked'))
        client.send(`${(12).toString(16)}\r\n{"type":"HB"\r\n`)
        for (let i = 0; i < 5; i++) client.send(`4000\r\n${' '.repeat(16_384)}\r\n`)
        client.send('1\r\n}\r\n0\r\n\r\n')
        const { status } = await client.response()
        // An object does not show how many spaces it was sent with.
        assert.equal(status, leaves === 'an object' ? 204 : 413)
        client.destroy()
      })
      const app = await start()
      const { sid } = await connect(app, 'alice')
      const client = await openSocket(app)
      client.send(post(sid, 'Content-Length: 65537'))
      assert.equal((await client.response()).status, 413)
      client.send(' '.repeat(65_537))
      client.send(`${post(sid, 'Content-Length: 13')}{"type":"HB"}`)
      assert.equal((await client.response()).status, 204)
      client.destroy()
    })
  })

  if (adapter.http2) return

  describe('Malformed requests', () => {
    it('cause no error of Comet, and harm nobody, behind every body parser', async () => {
      await behindEach({ canEnter: () => true }, async (app, _sid, { before }) => {
        for (const [title, bytes] of Object.entries(malformedRequests)) {
          // What has no body is not read by a body parser.
          if (before.length > 0 && !String(bytes).startsWith('POST')) continue
          const status = await sendMalformed(app, title)
          assert.ok(status === undefined || status < 500, `${title}: ${status}`)
        }
        const { next } = await connect(app, 'alice')
        await app.comet.publish({ uid: 'alice', evt: 'hi' })
        assert.equal((await next('message')).data, 'hi')
        if (adapter.kind !== 'node') takeFailures(app)
      })
    })
  })
}
