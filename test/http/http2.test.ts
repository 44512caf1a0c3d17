import assert from 'node:assert/strict'
import { nodeHttp2, startApp, type TestApp, untilSessions } from '../support/apps.ts'
import { connect, head, openSocket } from '../support/clients.ts'
import { Http2Client } from '../support/http2-client.ts'
import { within } from '../support/inbox.ts'
import '../support/process-guard.ts'

// What happens when a client resets streams, or keeps its connection, is in the contract of the adapters.
describe('HTTP/2', () => {
  let app: TestApp
  let client: Http2Client

  beforeEach(async () => {
    app = await startApp(nodeHttp2, { comet: { offlineGrace: 0, onMessage: ({ evt }) => evt } })
    client = new Http2Client(app)
  })
  afterEach(async () => {
    client.session.destroy()
    await app.close()
    assert.deepEqual(app.errors, [])
  })

  it('carries streams and packets of several users over one connection', async () => {
    const [a, b] = [await client.open('a'), await client.open('b')]
    await app.comet.publish({ uid: 'a', evt: 'to a' })
    await app.comet.publish({ evt: 'to all' })
    assert.equal((await a.next('message')).data, 'to a')
    assert.equal((await a.next('message')).data, 'to all')
    assert.equal((await b.next('message')).data, 'to all')
    assert.equal(await client.post('a', a.sid, { type: 'HB' }), '204 ')
    assert.equal(await client.post('b', b.sid, { type: 'SEND', send: { evt: 'hi' } }), '200 "hi"')
    assert.match(await client.post('b', a.sid, { type: 'HB' }), /^403 /)
    assert.equal(app.sockets.size, 1)
  })

  it('ends all sessions of a connection when it is cut', async () => {
    for (const user of ['a', 'b', 'c']) await client.open(user)
    client.session.destroy()
    await untilSessions(app, 0)
    for (const user of ['a', 'b', 'c']) assert.equal(await app.comet.isOnline(user), false)
  })

  it('keeps the other streams when Comet ends one', async () => {
    const [a, b] = [await client.open('a'), await client.open('b')]
    assert.equal(await app.comet.disconnect({ uid: 'a' }, { reason: 'banned' }), 1)
    assert.match((await a.next('comet.close')).data, /banned/)
    await within(a.ended, 'the end of the stream')
    await app.comet.publish({ evt: 'hi' })
    assert.equal((await b.next('message')).data, 'hi')
    assert.equal(b.stream.closed, false)
  })

  it('delivers an event that is larger than the flow-control window', async () => {
    const { next } = await client.open('a')
    const evt = 'ü'.repeat(400_000)
    await app.comet.publish({ uid: 'a', evt })
    assert.equal((await next('message')).data, evt)
  })

  const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'

  for (const [title, bytes] of Object.entries({
    'a request of HTTP/1.1': head('GET /comet?u=a HTTP/1.1', 'Host: x'),
    'bytes that are no frames': Buffer.from(`${preface}${'\xff'.repeat(500)}`, 'latin1'),
    'a preface and then nothing': preface,
    'a frame that is too large': Buffer.concat([
      Buffer.from(preface),
      Buffer.from('ffffff0000ffffffff', 'hex'),
    ]),
  })) {
    it(`serves others after ${title}`, async () => {
      const socket = await openSocket(app)
      socket.send(bytes)
      socket.socket.end()
      await within(socket.closed, 'the end of the connection')
      assert.equal((await connect(app, 'alice')).ready.uid, 'alice')
    })
  }
})
