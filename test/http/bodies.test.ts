import assert from 'node:assert/strict'
import { once } from 'node:events'
import { gzipSync } from 'node:zlib'
import { connect, head, openSocket, postPacket, request, type SocketClient } from '../support/clients.ts'
import { adapters, byKind, type Host, http1Adapters, withHost } from '../support/http.ts'
import { until, within } from '../support/inbox.ts'
import { drainOf, parsersOf } from '../support/parsers.ts'
import '../support/process-guard.ts'

const TEXT = 'hi, ü and 🚀'
const PACKET = JSON.stringify({ type: 'SEND', send: { evt: TEXT } })
const LIMIT = 65_536

for (const adapter of http1Adapters) {
  for (const parser of parsersOf(adapter)) {
    describe(`A body behind ${adapter.name} with ${parser.name}`, () => {
      const heard: string[] = []
      let host: Host
      let sid: string
      let client: SocketClient

      before(async () => {
        host = await adapter.host({
          before: parser.before,
          comet: { onMessage: ({ evt }) => void heard.push(evt), packetRate: 1_000 },
        })
        sid = (await connect(host, 'alice')).sid
      })
      beforeEach(async () => {
        heard.length = 0
        client = await openSocket(host)
      })
      afterEach(() => client.destroy())
      after(() => host.close())

      const post = (...headers: string[]) =>
        head(
          `POST /comet/${sid} HTTP/1.1`,
          'Host: x',
          'X-User: alice',
          'Content-Type: application/json',
          ...headers,
        )

      const isAlive = async () => {
        assert.equal((await postPacket(host, 'alice', sid, { type: 'HB' })).status, 204)
        assert.equal(host.comet.stats().sessions, 1)
      }

      it('may come in pieces of one byte with a Content-Length', async () => {
        client.send(post(`Content-Length: ${Buffer.byteLength(PACKET)}`))
        await client.trickle(PACKET)
        assert.equal((await client.response()).status, 204)
        assert.deepEqual(heard, [TEXT])
      })

      it('may come in chunks of one byte', async () => {
        client.send(post('Transfer-Encoding: chunked'))
        for (const byte of Buffer.from(PACKET)) {
          client.send(Buffer.concat([Buffer.from('1\r\n'), Uint8Array.of(byte), Buffer.from('\r\n')]))
          await new Promise((resolve) => setImmediate(resolve))
        }
        client.send('0\r\n\r\n')
        assert.equal((await client.response()).status, 204)
        assert.deepEqual(heard, [TEXT])
      })

      it('may come with its head in pieces of one byte', async () => {
        await client.trickle(post(`Content-Length: ${Buffer.byteLength(PACKET)}`) + PACKET)
        assert.equal((await client.response()).status, 204)
        assert.deepEqual(heard, [TEXT])
      })

      it('may wait to be asked for', async () => {
        client.send(post(`Content-Length: ${Buffer.byteLength(PACKET)}`, 'Expect: 100-continue'))
        await until(() => client.bytes().startsWith('HTTP/1.1 100'), 'asked for')
        client.send(PACKET)
        assert.equal((await client.response()).status, 204)
        assert.deepEqual(heard, [TEXT])
      })

      it('may be one of many on a connection', async () => {
        for (let i = 0; i < 3; i++) {
          client.send(post(`Content-Length: ${Buffer.byteLength(PACKET)}`) + PACKET)
          assert.equal((await client.response()).status, 204)
        }
        assert.deepEqual(heard, [TEXT, TEXT, TEXT])
      })

      it('is answered with 413 when it comes in chunks and is too large, while the client still sends', async () => {
        client.send(post('Transfer-Encoding: chunked'))
        const chunk = ' '.repeat(16_384)
        client.send(`${(12).toString(16)}\r\n{"type":"HB"\r\n`)
        for (let i = 0; i < 5; i++) client.send(`4000\r\n${chunk}\r\n`)
        client.send('1\r\n}\r\n0\r\n\r\n')
        // A parser that makes an object of it leaves no trace of the spaces.
        const { status } = await client.response()
        const isObject = /json|bodyparser$/.test(parser.name)
        assert.equal(status, isObject ? 204 : 413)
        await isAlive()
      })

      it('has no effect when the client cuts the connection before the end', async () => {
        const seen = once(host.server, 'request')
        client.send(`${post(`Content-Length: ${PACKET.length + 1_000}`)}${PACKET}`)
        await seen
        client.destroy()
        await until(() => host.sockets.size === 1, 'gone')
        await isAlive()
        assert.deepEqual(heard, [])
        assert.deepEqual(host.errors, [])
      })

      it('has no effect when the client ends its side before the end', async () => {
        client.send(`${post(`Content-Length: ${PACKET.length + 1_000}`)}${PACKET}`)
        client.socket.end()
        await within(client.closed, 'the end of the connection')
        await isAlive()
        assert.deepEqual(heard, [])
        assert.deepEqual(host.errors, [])
      })

      it('is answered with 400 when it is longer than it says', async () => {
        client.send(`${post('Content-Length: 12')}${PACKET}`)
        assert.equal((await client.response()).status, 400)
        await within(client.closed, 'the end of the connection')
        await isAlive()
        assert.deepEqual(heard, [])
        assert.deepEqual(host.errors, [])
      })

      it('is answered with 400 when it is none', async () => {
        client.send(post('Content-Length: 0'))
        assert.equal((await client.response()).status, 400)
        client.send(post())
        assert.equal((await client.response()).status, 400)
      })
    })
  }

  describe(`A body behind ${adapter.name} without a parser`, () => {
    it('is answered with 413 by its Content-Length alone, and the connection serves on', async () => {
      await withHost(adapter, {}, async (host) => {
        const { sid } = await connect(host, 'alice')
        const client = await openSocket(host)
        const lines = [
          `POST /comet/${sid} HTTP/1.1`,
          'Host: x',
          'X-User: alice',
          'Content-Type: application/json',
        ]
        client.send(head(...lines, `Content-Length: ${LIMIT + 1}`))
        assert.equal((await client.response()).status, 413)
        client.send(' '.repeat(LIMIT + 1))
        client.send(`${head(...lines, 'Content-Length: 13')}{"type":"HB"}`)
        assert.equal((await client.response()).status, 204)
      })
    })

    it('is not read at all for a user who is not signed in', async () => {
      await withHost(adapter, {}, async (host) => {
        const { sid } = await connect(host, 'alice')
        const client = await openSocket(host)
        client.send(head(`POST /comet/${sid} HTTP/1.1`, 'Host: x', 'Content-Length: 1000'))
        assert.equal((await client.response()).status, 401)
      })
    })
  })
}

for (const adapter of adapters) {
  describe(`A body that was read before Comet behind ${adapter.name}`, () => {
    it('is answered with 400 and what to do about it when nothing is left of it', async () => {
      await withHost(adapter, { before: [drainOf(adapter)] }, async (host) => {
        const { sid } = await connect(host, 'alice')
        const answer = await postPacket(host, 'alice', sid, { type: 'HB' })
        assert.deepEqual([answer.status, answer.json.error.code], [400, 'INVALID_BODY'])
        assert.match(answer.json.error.message, /Mount Comet before it/)
      })
    })
  })
}

for (const adapter of byKind('express')) {
  describe(`A compressed body behind ${adapter.name} with express.json`, () => {
    const send = async (text: string) => {
      const [, json] = parsersOf(adapter)
      return await withHost(adapter, { before: json?.before ?? [] }, async (host) => {
        const { sid } = await connect(host, 'alice')
        const headers = { 'x-user': 'alice', 'content-type': 'application/json', 'content-encoding': 'gzip' }
        return await request(host, { method: 'POST', path: `/${sid}`, headers, body: gzipSync(text) })
      })
    }

    it('is taken', async () => {
      assert.equal((await send(PACKET)).status, 204)
    })

    it('is answered with 413 when it is too large only after it was unpacked', async () => {
      const answer = await send(JSON.stringify({ type: 'SEND', send: { evt: 'x'.repeat(LIMIT) } }))
      assert.deepEqual([answer.status, answer.json.error.code], [413, 'PACKET_TOO_LARGE'])
    })
  })
}
