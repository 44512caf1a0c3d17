import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import { nodeHttp, withApp } from '../support/apps.ts'
import { connect, postPacket } from '../support/clients.ts'
import '../support/process-guard.ts'

const INTERVAL_MS = 1_000

describe('heartbeatInterval', () => {
  let clock: FakeTimers.Clock

  beforeEach(() => {
    clock = FakeTimers.install({
      toFake: ['performance', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'],
    })
  })
  afterEach(() => clock.uninstall())

  it('closes a client that said it answers heartbeats (hb=1) and does not, and no other client', async () => {
    await withApp(nodeHttp, { comet: { heartbeatInterval: INTERVAL_MS } }, async (app) => {
      const answering = await connect(app, 'alice', { path: '?hb=1' })
      const plain = await connect(app, 'bob')
      const silent = await connect(app, 'carol', { path: '?hb=1' })
      assert.equal(silent.ready.heartbeat, INTERVAL_MS)
      for (let elapsed = 0; elapsed < 4 * INTERVAL_MS; elapsed += INTERVAL_MS) {
        assert.equal(app.comet.stats().sessions, 3, `after ${elapsed} ms`)
        clock.tick(INTERVAL_MS)
        for (const { next } of [answering, plain]) await next('comet.heartbeat')
        assert.equal((await postPacket(app, 'alice', answering.sid, { type: 'HB' })).status, 204)
      }
      clock.tick(INTERVAL_MS)
      const { code, reconnect } = JSON.parse((await silent.next('comet.close')).data)
      assert.deepEqual([code, reconnect], ['SILENT', true])
      assert.equal(await silent.ended, true)
      assert.ok(silent.blocks.some(({ event }) => event === 'comet.heartbeat'))
      await app.comet.publish({ evt: 'hi' })
      for (const { next } of [answering, plain]) assert.equal((await next('message')).data, 'hi')
      assert.equal(app.comet.stats().sessions, 2)
    })
  })
})
