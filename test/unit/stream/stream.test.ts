import assert from 'node:assert/strict'
import { closeComets, connect, makeComet } from '../../support/comets.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'
import { PacedTransport } from '../../support/paced-transport.ts'

describe('CometOptions.maxBufferedBytes', () => {
  afterEach(closeComets)

  const turn = () => new Promise(setImmediate)

  it('closes a reader that falls further behind, which resumes without loss', async () => {
    const { comet } = makeComet({ maxBufferedBytes: 1_000 })
    const slow = new PacedTransport()
    await comet.connect({ identity: 'alice', transport: slow })
    slow.read()
    const fast = await connect(comet, 'bob')
    for (let index = 0; index < 50 && !slow.closed; index += 1) {
      await comet.publish({ evt: `${index}`.padEnd(100) })
      await turn()
    }
    assert.ok(slow.closed)
    assert.equal(slow.control('close')?.code, 'SLOW')
    assert.equal(slow.control('close')?.reconnect, true)
    const again = new MemoryTransport()
    await comet.connect({ identity: 'alice', transport: again, position: String(slow.lastEventId) })
    assert.deepEqual([...slow.published, ...again.published], fast.published)
  })

  it('never closes a reader for one large event, one large burst, or a long replay', async () => {
    const { comet } = makeComet({ maxBufferedBytes: 1_000 })
    const client = new PacedTransport()
    await comet.connect({ identity: 'alice', transport: client })
    const start = String(client.lastEventId)
    client.read()
    await comet.publish({ evt: 'x'.repeat(1_048_576) })
    await turn()
    for (let index = 0; index < 100; index += 1) comet.publish({ evt: 'y'.repeat(100) })
    await turn()
    assert.equal(client.closed, false)
    client.read()
    client.read()
    assert.equal(client.published.length, 101)
    const again = new PacedTransport()
    await comet.connect({ identity: 'bob', transport: again, position: start })
    for (let index = 0; index < 50; index += 1) {
      await comet.publish({ evt: 'z'.repeat(100) })
      await turn()
    }
    for (let reads = 0; reads < 20; reads += 1) again.read()
    assert.equal(again.closed, false)
    assert.equal(again.published.length, 151)
  })
})

describe('CometOptions.writeTimeout', () => {
  afterEach(closeComets)

  it('ends a session whose write made no progress, which may reconnect', async () => {
    const { comet } = makeComet()
    const client = await connect(comet, 'alice')
    client.stall()
    assert.ok(client.closed)
    const { code, reconnect } = client.control('close') ?? {}
    assert.deepEqual([code, reconnect, comet.stats().closes], ['SLOW', true, { SLOW: 1 }])
  })
})
