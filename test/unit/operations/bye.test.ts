import assert from 'node:assert/strict'
import { type Comet, MemoryBroker } from '../../../lib/index.ts'
import { closeComets, makeComet } from '../../support/comets.ts'
import { until } from '../../support/inbox.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'

async function page(comet: Comet, uid = 'alice') {
  const transport = new MemoryTransport()
  await comet.connect({ identity: uid, transport, clientId: 'page', rids: ['den'] })
  const { connection } = transport.control('ready') as { connection: string }
  return { transport, sid: transport.sid, connection }
}

const bye = (comet: Comet, sid: string, connection?: string, identity = 'alice') =>
  comet.receive({ sid, identity, packet: { type: 'BYE', ...(connection && { bye: { connection } }) } })

describe('BYE packet', () => {
  let one: Comet
  let two: Comet
  let reported: string[]

  beforeEach(() => {
    const broker = new MemoryBroker()
    const nodes = [makeComet({ broker, offlineGrace: 60_000 }), makeComet({ broker, offlineGrace: 60_000 })]
    one = nodes[0]?.comet as Comet
    two = nodes[1]?.comet as Comet
    reported = []
    for (const node of [one, two]) {
      node.on('offline', ({ uid }) => reported.push(`OFFLINE ${uid}`))
      node.on('leave', ({ uid, rid }) => reported.push(`LEAVE_ROOM ${uid} ${rid}`))
      node.on('heard', ({ uid }) => reported.push(`HEARD ${uid}`))
    }
  })
  afterEach(closeComets)

  for (const where of ['the same node', 'another node']) {
    const other = () => (where === 'the same node' ? one : two)

    for (const names of [true, false]) {
      it(`ends the grace of a session at once, by ${where}${names ? ', naming its connection' : ''}`, async () => {
        const { transport, sid, connection } = await page(one)
        transport.drop()
        assert.equal(await one.isOnline('alice'), true)
        await bye(other(), sid, names ? connection : undefined)
        assert.equal(await one.isOnline('alice'), false)
        assert.deepEqual(reported, ['HEARD alice', 'LEAVE_ROOM alice den', 'OFFLINE alice'])
        await assert.rejects(bye(other(), sid, connection), { code: 'NO_SUCH_SESSION' })
      })
    }

    it(`of a former connection has no effect on the one that took over, by ${where}`, async () => {
      const first = await page(one)
      first.transport.drop()
      const second = await page(other())
      assert.equal(second.sid, first.sid)
      assert.notEqual(second.connection, first.connection)
      await bye(one, first.sid, first.connection)
      assert.equal(second.transport.closed, false)
      second.transport.drop()
      await bye(one, first.sid, first.connection)
      assert.equal(await one.isOnline('alice'), true)
      await bye(one, first.sid, second.connection)
      assert.equal(await one.isOnline('alice'), false)
    })
  }

  it('of another user ends no grace', async () => {
    const { transport, sid, connection } = await page(one)
    transport.drop()
    await assert.rejects(bye(two, sid, connection, 'mallory'), { code: 'NOT_YOUR_SESSION' })
    assert.equal(await one.isOnline('alice'), true)
    assert.deepEqual(reported, [])
  })

  it('keeps the client away only if it names the connection', async () => {
    const named = await page(one)
    await bye(one, named.sid, named.connection)
    assert.match(String(named.transport.lastEventId), /^away:/)
    const unnamed = await page(one)
    await bye(one, unnamed.sid)
    await until(() => unnamed.transport.closed)
    assert.deepEqual(unnamed.transport.control('close')?.code, 'BYE')
    assert.doesNotMatch(String(unnamed.transport.lastEventId), /^away:/)
    assert.equal(await one.isOnline('alice'), false)
  })
})
