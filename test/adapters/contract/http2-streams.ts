import assert from 'node:assert/strict'
import { constants, type ServerHttp2Session } from 'node:http2'
import { closeServer, untilSessions } from '../../support/apps.ts'
import { Http2Client } from '../../support/http2-client.ts'
import { until, within } from '../../support/inbox.ts'
import type { Contract } from './part.ts'

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR } = constants

/** Streams that share a connection, which the client resets one by one. */
export function http2Streams({ adapter, start }: Contract): void {
  if (!adapter.http2) return

  describe('HTTP/2', () => {
    it('ends one session when the client resets its stream, and keeps the others on the connection', async () => {
      const app = await start({ comet: { offlineGrace: 0 } })
      const client = new Http2Client(app)
      const stays = await client.open('stays')
      for (const [user, code] of Object.entries({ NGHTTP2_CANCEL, NGHTTP2_NO_ERROR })) {
        const { stream } = await client.open(user)
        stream.close(code)
        await until(async () => !(await app.comet.isOnline(user)), 'offline')
      }
      assert.deepEqual([app.comet.stats().sessions, app.sockets.size], [1, 1])
      await app.comet.publish({ evt: 'hi' })
      assert.equal((await stays.next('message')).data, 'hi')
      client.session.destroy()
    })

    it('ignores a packet whose stream the client resets in the middle of its body', async () => {
      const app = await start()
      const client = new Http2Client(app)
      const { sid } = await client.open('a')
      const seen = new Promise((resolve) => app.server.once('request', resolve))
      const packet = client.begin('a', sid)
      packet.on('error', () => {})
      packet.write('{"type":')
      await seen
      packet.close(NGHTTP2_CANCEL)
      await new Promise((resolve) => packet.once('close', resolve))
      assert.equal(await client.post('a', sid, { type: 'HB' }), '204 ')
      client.session.destroy()
    })

    it('has no more listeners on a connection after many streams than before', async () => {
      const app = await start({ comet: { packetRate: 100 } })
      const session = new Promise<ServerHttp2Session>((resolve) => app.server.once('session', resolve))
      const client = new Http2Client(app)
      const { sid } = await client.open('stays')
      const emitter = await session
      const count = () => emitter.eventNames().map((name) => emitter.listenerCount(name))
      const before = count()
      for (let i = 0; i < 50; i++) {
        const { stream } = await client.open(`a${i}`)
        stream.close()
        assert.equal(await client.post('stays', sid, { type: 'HB' }), '204 ')
      }
      await untilSessions(app, 1)
      assert.deepEqual(count(), before)
      client.session.destroy()
    })

    it('lets the server close after Comet.close while the client keeps its connection', async () => {
      const app = await start()
      const client = new Http2Client(app)
      const { next, ended } = await client.open('alice')
      await app.comet.close()
      await within(closeServer(app), 'closing the server')
      await next('comet.close')
      await within(ended, 'the end of the stream')
      client.session.destroy()
    })
  })
}
