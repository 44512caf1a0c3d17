import assert from 'node:assert/strict'
import { type Comet, type CometOptions, MemoryBroker } from '../../../lib/index.ts'
import { closeComets, makeComet } from '../../support/comets.ts'
import { Gate } from '../../support/inbox.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'
import { answerLate } from '../../support/slow-presence.ts'

/** Nodes that share a presence whose answers a test can hold back. */
function makeSlow(options: CometOptions = {}) {
  const broker = new MemoryBroker()
  const gates: Gate[] = []
  const presence = answerLate(broker.presence, async () => await gates.shift()?.pass())
  const make = () => makeComet({ broker, presence, offlineGrace: 60_000, ...options })
  /** Holds back the next answer of presence until the gate is opened. */
  const holdBack = () => {
    const gate = new Gate()
    gates.push(gate)
    return gate
  }
  return { make, holdBack }
}

function connect(comet: Comet, request: { rids?: string[]; clientId?: string } = {}) {
  const transport = new MemoryTransport()
  const connected = comet.connect({ identity: 'alice', transport, ...request })
  return { transport, connected }
}

describe('Comet.connect while presence has not answered', () => {
  afterEach(closeComets)

  it('is ended by Comet.disconnect at once, without a grace', async () => {
    const { make, holdBack } = makeSlow()
    const { comet, reported } = make()
    const answer = holdBack()
    const { transport, connected } = connect(comet, { rids: ['den'] })
    await answer.arrival()
    assert.equal(await comet.disconnect({ uid: 'alice' }), 1)
    answer.open()
    await connected
    assert.equal(transport.control('close')?.code, 'DISCONNECTED')
    assert.deepEqual(reported, [
      ...['ONLINE alice', 'ENTER_ROOM alice den'],
      ...['LEAVE_ROOM alice den', 'OFFLINE alice'],
    ])
  })

  it('obeys Comet.leave from any node: the session is not in that room', async () => {
    const { make, holdBack } = makeSlow()
    const [one, two] = [make().comet, make().comet]
    await connect(one, { clientId: 'other' }).connected
    await one.enter({ uid: 'alice' }, 'attic')
    const answer = holdBack()
    const { transport, connected } = connect(two, { rids: ['den'] })
    await answer.arrival()
    for (const rid of ['attic', 'den']) assert.equal(await one.leave({ uid: 'alice' }, rid), true)
    answer.open()
    await connected
    assert.deepEqual(transport.control('ready')?.rooms, [])
    await two.publish({ rid: 'attic', evt: 'not for alice' })
    await two.publish({ rid: 'den', evt: 'nor this' })
    await new Promise(setImmediate)
    assert.deepEqual(transport.published, [])
    assert.deepEqual([await one.count('attic'), await one.count('den')], [0, 0])
  })

  for (const nodes of ['one node', 'two nodes']) {
    it(`is taken over by a later connection on ${nodes}, whichever answer comes first`, async () => {
      const { make, holdBack } = makeSlow()
      const one = make()
      const two = nodes === 'one node' ? one : make()
      const answer = holdBack()
      const early = connect(one.comet, { clientId: 'page', rids: ['den'] })
      await answer.arrival()
      const late = connect(two.comet, { clientId: 'page' })
      await late.connected
      answer.open()
      await early.connected
      assert.ok(early.transport.closed)
      assert.equal(late.transport.closed, false)
      assert.deepEqual(late.transport.control('ready')?.rooms, ['den'])
      const sids = [one, two].flatMap(({ comet }) => comet.dump().sessions.map(({ sid }) => sid))
      assert.deepEqual(Array.from(new Set(sids)), [late.transport.sid])
      const packet = { type: 'JOIN', join: { rid: 'attic' } }
      await one.comet.receive({ sid: late.transport.sid, identity: 'alice', packet })
      assert.deepEqual(two.comet.dump().sessions[0]?.rooms, ['den', 'attic'])
      late.transport.drop()
      assert.deepEqual([one.comet.stats().sessions, two.comet.stats().sessions], [0, 0])
      assert.equal(await one.comet.isOnline('alice'), true)
    })
  }

  it('refuses packets by way of the previous connection, which have no effect', async () => {
    const { make, holdBack } = makeSlow()
    const { comet } = make()
    const early = connect(comet, { clientId: 'page', rids: ['den'] })
    await early.connected
    const { sid } = early.transport
    const answer = holdBack()
    const late = connect(comet, { clientId: 'page' })
    await answer.arrival()
    for (const [type, rid] of [
      ['JOIN', 'attic'],
      ['LEAVE', 'den'],
    ] as const) {
      const packet = { type, [type.toLowerCase()]: { rid } }
      await assert.rejects(comet.receive({ sid, identity: 'alice', packet }), { code: 'NO_SUCH_SESSION' })
    }
    answer.open()
    await late.connected
    assert.deepEqual(late.transport.control('ready')?.rooms, ['den'])
    assert.deepEqual([await comet.count('den'), await comet.count('attic')], [1, 0])
  })
})

describe('CometOptions.maxRoomsPerSession on a takeover', () => {
  afterEach(closeComets)

  it('limits the rooms of both connections, and reports those beyond the limit as refused', async () => {
    const { comet } = makeComet({ maxRoomsPerSession: 2, offlineGrace: 60_000 })
    const visit = async (...rids: string[]) => {
      const { transport, connected } = connect(comet, { clientId: 'page', rids })
      await connected
      transport.drop()
      return transport.control('ready')
    }
    await visit('1')
    assert.deepEqual((await visit('2'))?.rooms, ['2', '1'])
    const third = await visit('2', '3')
    assert.deepEqual([third?.rooms, third?.refused], [['2', '1'], ['3']])
    assert.equal(await comet.count('3'), 0)
  })

  it('reports no error when the session is taken over while it leaves those beyond the limit', async () => {
    const { make, holdBack } = makeSlow({ maxRoomsPerSession: 1 })
    const { comet } = make()
    const errors: Error[] = []
    comet.on('error', (error) => errors.push(error))
    const first = connect(comet, { clientId: 'page', rids: ['1'] })
    await first.connected
    const admission = holdBack()
    const second = connect(comet, { clientId: 'page', rids: ['2'] })
    await admission.arrival()
    const leaving = holdBack()
    admission.open()
    await leaving.arrival()
    const third = connect(comet, { clientId: 'page' })
    await third.connected
    leaving.open()
    await second.connected
    assert.deepEqual([errors, second.transport.closed, third.transport.closed], [[], true, false])
    assert.equal(comet.stats().sessions, 1)
  })
})
