import assert from 'node:assert/strict'
import { once } from 'node:events'
import { nodeHttp, startApp, type TestApp, withApp } from '../support/apps.ts'
import { connect, head, openSocket, postPacket, type SocketClient } from '../support/clients.ts'
import { until, within } from '../support/inbox.ts'
import { drainOf } from '../support/parsers.ts'
import '../support/process-guard.ts'

const TEXT = 'hi, ü and 🚀'
const PACKET = JSON.stringify({ type: 'SEND', send: { evt: TEXT } })
const LIMIT = 65_536

describe('POST packet, the body', () => {
  const messages: string[] = []
  let app: TestApp
  let sid: string
  let client: SocketClient

  before(async () => {
    app = await startApp(nodeHttp, {
      comet: { onMessage: ({ evt }) => void messages.push(evt), packetRate: 1_000 },
    })
    sid = (await connect(app, 'alice')).sid
  })
  beforeEach(async () => {
    messages.length = 0
    client = await openSocket(app)
  })
  afterEach(() => client.destroy())
  after(() => app.close())

  const post = (...headers: string[]) =>
    head(
      `POST /comet/${sid} HTTP/1.1`,
      'Host: x',
      'X-User: alice',
      'Content-Type: application/json',
      ...headers,
    )

  /** The session is as it was before. */
  const isUnharmed = async () => {
    assert.equal((await postPacket(app, 'alice', sid, { type: 'HB' })).status, 204)
    assert.equal(app.comet.stats().sessions, 1)
    assert.deepEqual([messages, app.errors], [[], []])
  }

  it('may come in pieces of one byte with a Content-Length', async () => {
    client.send(post(`Content-Length: ${Buffer.byteLength(PACKET)}`))
    await client.trickle(PACKET)
    assert.equal((await client.response()).status, 204)
    assert.deepEqual(messages, [TEXT])
  })

  it('may come in chunks of one byte', async () => {
    client.send(post('Transfer-Encoding: chunked'))
    for (const byte of Buffer.from(PACKET)) {
      client.send(Buffer.concat([Buffer.from('1\r\n'), Uint8Array.of(byte), Buffer.from('\r\n')]))
      await new Promise((resolve) => setImmediate(resolve))
    }
    client.send('0\r\n\r\n')
    assert.equal((await client.response()).status, 204)
    assert.deepEqual(messages, [TEXT])
  })

  it('may come with its head in pieces of one byte', async () => {
    await client.trickle(post(`Content-Length: ${Buffer.byteLength(PACKET)}`) + PACKET)
    assert.equal((await client.response()).status, 204)
    assert.deepEqual(messages, [TEXT])
  })

  it('may wait for 100 Continue', async () => {
    client.send(post(`Content-Length: ${Buffer.byteLength(PACKET)}`, 'Expect: 100-continue'))
    await until(() => client.bytes().startsWith('HTTP/1.1 100'), 'asked for')
    client.send(PACKET)
    assert.equal((await client.response()).status, 204)
    assert.deepEqual(messages, [TEXT])
  })

  it('may be one of many on a connection', async () => {
    for (let i = 0; i < 3; i++) {
      client.send(post(`Content-Length: ${Buffer.byteLength(PACKET)}`) + PACKET)
      assert.equal((await client.response()).status, 204)
    }
    assert.deepEqual(messages, [TEXT, TEXT, TEXT])
  })

  it('gets 413 when it comes in chunks and is too large, while the client still sends', async () => {
    client.send(post('Transfer-Encoding: chunked'))
    const chunk = ' '.repeat(16_384)
    client.send(`${(12).toString(16)}\r\n{"type":"HB"\r\n`)
    for (let i = 0; i < 5; i++) client.send(`4000\r\n${chunk}\r\n`)
    client.send('1\r\n}\r\n0\r\n\r\n')
    assert.equal((await client.response()).status, 413)
    await isUnharmed()
  })

  it('gets 413 for its Content-Length alone, and the connection serves on', async () => {
    client.send(post(`Content-Length: ${LIMIT + 1}`))
    assert.equal((await client.response()).status, 413)
    client.send(' '.repeat(LIMIT + 1))
    client.send(`${post('Content-Length: 13')}{"type":"HB"}`)
    assert.equal((await client.response()).status, 204)
  })

  it('is not waited for when nobody is identified', async () => {
    client.send(head(`POST /comet/${sid} HTTP/1.1`, 'Host: x', 'Content-Length: 1000'))
    assert.equal((await client.response()).status, 401)
  })

  it('has no effect when the client cuts the connection before its end', async () => {
    const seen = once(app.server, 'request')
    client.send(`${post(`Content-Length: ${PACKET.length + 1_000}`)}${PACKET}`)
    await seen
    client.destroy()
    await until(() => app.sockets.size === 1, 'gone')
    await isUnharmed()
  })

  it('has no effect when the client ends its side before its end', async () => {
    client.send(`${post(`Content-Length: ${PACKET.length + 1_000}`)}${PACKET}`)
    client.socket.end()
    await within(client.closed, 'the end of the connection')
    await isUnharmed()
  })

  it('gets 400 when it is longer than its Content-Length', async () => {
    client.send(`${post('Content-Length: 12')}${PACKET}`)
    assert.equal((await client.response()).status, 400)
    await within(client.closed, 'the end of the connection')
    await isUnharmed()
  })

  it('gets 400 when there is none', async () => {
    client.send(post('Content-Length: 0'))
    assert.equal((await client.response()).status, 400)
    client.send(post())
    assert.equal((await client.response()).status, 400)
  })

  it('gets 400 with advice when a middleware has read it and kept nothing', async () => {
    await withApp(nodeHttp, { before: [drainOf(nodeHttp)] }, async (draining) => {
      const alice = await connect(draining, 'alice')
      const { status, json } = await postPacket(draining, 'alice', alice.sid, { type: 'HB' })
      assert.deepEqual([status, json.error.code], [400, 'INVALID_BODY'])
      assert.match(json.error.message, /Mount Comet before it/)
    })
  })
})
