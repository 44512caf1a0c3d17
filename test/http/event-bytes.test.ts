import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { nodeHttp, startApp, type TestApp } from '../support/apps.ts'
import { head } from '../support/clients.ts'
import { within } from '../support/inbox.ts'
import { figure } from '../support/tier.ts'
import '../support/process-guard.ts'

/** The most bytes on the wire that a named event may have besides its payload, with short names. */
const MOST_BYTES = 60

/** The end of a chunk's data, which is the end of a block. */
const END = '\n\n\r\n'

describe('The bytes of an event on the wire', () => {
  let app: TestApp
  let text: string
  let socket: net.Socket

  beforeEach(async () => {
    app = await startApp(nodeHttp, { comet: { canEnter: () => true, heartbeatInterval: 0 } })
    text = ''
    socket = net.connect(app.port, '127.0.0.1').setEncoding('latin1')
    socket.on('data', (piece) => {
      text += piece
    })
    socket.write(head('GET /comet?u=alice&rid=lobby HTTP/1.1', 'Host: x'))
    while (!text.includes('comet.ready') || !text.endsWith(END))
      await within(once(socket, 'data'), 'comet.ready')
  })
  afterEach(async () => {
    socket.destroy()
    await app.close()
  })

  async function bytesOf(publish: () => Promise<void>): Promise<number> {
    const before = text.length
    await publish()
    while (text.length === before || !text.endsWith(END)) await within(once(socket, 'data'), 'the event')
    return text.length - before
  }

  it(`are at most ${MOST_BYTES} over the payload of a named event, with chunk framing and all fields`, async () => {
    // The position has as many digits as after some hundred thousand events.
    for (let index = 0; index < 100_000; index += 1)
      void app.comet.publish({ rid: 'elsewhere', evt: '' }, { transient: true })
    for (const data of [{ text: 'hi' }, 'x'.repeat(1_000), 7]) {
      const payload = Buffer.byteLength(JSON.stringify(data))
      const total = await bytesOf(() => app.comet.publish({ rid: 'lobby', event: 'chat', data }))
      figure('a named event', `${total - payload} bytes over a payload of ${payload}`)
      assert.ok(total - payload <= MOST_BYTES, `${total - payload}`)
    }
  })

  it('are few compared to those of a Message', async () => {
    const data = { text: 'hi' }
    const named = await bytesOf(() => app.comet.publish({ rid: 'lobby', event: 'chat', data }))
    const message = await bytesOf(() => app.comet.publish({ rid: 'lobby', evt: { event: 'chat', data } }))
    figure('a Message', `${message - JSON.stringify(data).length} bytes over the payload`)
    assert.ok(2 * named < message)
  })
})
