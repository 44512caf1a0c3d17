import assert from 'node:assert/strict'
import type { CometError } from '../../../lib/index.ts'
import { closeComets, connect, makeComet } from '../../support/comets.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'

describe('Comet.close', () => {
  afterEach(closeComets)

  for (const drain of [-1, Number.NaN, Number.POSITIVE_INFINITY, 3e9, '100', null]) {
    it(`refuses a drain of ${drain}, and closes nothing`, async () => {
      const { comet } = makeComet()
      const alice = await connect(comet, 'alice')
      await assert.rejects(comet.close({ drain: drain as number }), {
        code: 'INVALID_OPTION',
        message: /drain/,
      })
      assert.equal(alice.closed, false)
    })
  }

  it('reports LEAVE_ROOM and OFFLINE, tells the clients, and is idempotent', async () => {
    const { comet, reported } = makeComet({ offlineGrace: 60_000 })
    const alice = await connect(comet, 'alice', 'den')
    const gone = await connect(comet, 'bob')
    gone.drop()
    reported.splice(0)
    const closed = comet.close()
    assert.equal(comet.close(), closed)
    await closed
    assert.deepEqual(reported.sort(), ['LEAVE_ROOM alice den', 'OFFLINE alice', 'OFFLINE bob'])
    assert.equal(alice.control('close')?.code, 'SHUTDOWN')
    assert.equal(alice.control('close')?.reconnect, true)
    assert.ok(alice.closed)
  })

  it('cuts a client that takes too long', async () => {
    const { comet } = makeComet()
    const stalled = new MemoryTransport()
    stalled.end = () => {}
    await comet.connect({ identity: 'alice', transport: stalled })
    await comet.close({ drain: 20 })
    assert.ok(stalled.closed)
  })

  it('gives newcomers a temporary error', async () => {
    const { comet } = makeComet()
    await comet.close()
    await assert.rejects(connect(comet, 'alice'), (error: CometError) => error.temporary)
  })
})
