import assert from 'node:assert/strict'
import { type Comet, type CometOptions, MemoryBroker } from '../../../lib/index.ts'
import { closeComets, connect, makeComet } from '../../support/comets.ts'
import { Gate, until } from '../../support/inbox.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'
import { answerLate } from '../../support/slow-presence.ts'

/** Nodes on one broker, whose presence answers a turn late. */
function makeNodes(options: CometOptions = {}): [Comet, Comet] {
  const broker = new MemoryBroker()
  const presence = answerLate(broker.presence, () => new Promise(setImmediate))
  const make = () => makeComet({ broker, presence, offlineGrace: 60_000, ...options }).comet
  return [make(), make()]
}

/** A `canEnter` that says yes once its gate is open. */
function allowLate() {
  const gate = new Gate()
  const canEnter = async () => {
    await gate.pass()
    return true
  }
  return { gate, canEnter }
}

/** Publishes to a room. @returns whether the client got it */
async function hears(comet: Comet, client: MemoryTransport, rid: string): Promise<boolean> {
  const from = client.published.length
  await comet.publish({ rid, evt: 'to the room' })
  await comet.publish({ evt: 'to the world' })
  await until(() => client.published.at(-1) === 'to the world')
  return client.published.slice(from).includes('to the room')
}

const join = (comet: Comet, sid: string, rid = 'den') =>
  comet.receive({ sid, identity: 'alice', packet: { type: 'JOIN', join: { rid } } })

describe('Rooms in the order of presence', () => {
  afterEach(closeComets)

  for (const nodes of ['one node', 'two nodes']) {
    const pick = ([one, two]: [Comet, Comet]) =>
      nodes === 'one node' ? ([one, one] as const) : ([one, two] as const)

    it(`are left when an "enter" hook calls Comet.leave amid Comet.enter, on ${nodes}`, async () => {
      const [one, two] = pick(makeNodes())
      const client = await connect(two, 'alice')
      one.on('enter', ({ uid, rid }) => one.leave({ uid }, rid))
      await one.enter({ uid: 'alice' }, 'den')
      await until(async () => (await one.count('den')) === 0)
      await until(() => two.dump().rooms.length === 0)
      const later = await connect(two, 'alice')
      for (const each of [client, later]) assert.equal(await hears(one, each, 'den'), false)
    })

    it(`are entered by Comet.enter after Comet.leave in the same turn, on ${nodes}`, async () => {
      const [one, two] = pick(makeNodes())
      const client = await connect(two, 'alice')
      await one.enter({ uid: 'alice' }, 'den')
      await Promise.all([one.leave({ uid: 'alice' }, 'den'), one.enter({ sid: client.sid }, 'den')])
      assert.equal(await one.count('den'), 1)
      assert.equal(await hears(one, client, 'den'), true)
    })

    it(`are left by Comet.leave after Comet.enter in the same turn, on ${nodes}`, async () => {
      const [one, two] = pick(makeNodes())
      const client = await connect(two, 'alice')
      await Promise.all([one.enter({ uid: 'alice' }, 'den'), one.leave({ uid: 'alice' }, 'den')])
      assert.equal(await one.count('den'), 0)
      assert.equal(await hears(one, client, 'den'), false)
    })

    it(`are not entered by a JOIN that canEnter allows after Comet.leave, on ${nodes}`, async () => {
      const { gate, canEnter } = allowLate()
      const [one, two] = pick(makeNodes({ canEnter }))
      const client = await connect(two, 'alice')
      const joining = assert.rejects(join(two, client.sid), { code: 'ROOM_REFUSED', status: 403 })
      await gate.arrival()
      await one.leave({ uid: 'alice' }, 'den')
      gate.open()
      await joining
      assert.equal(await hears(one, client, 'den'), false)
      assert.equal(await one.count('den'), 0)
    })

    it(`are not entered by a request for a stream that canEnter allows after Comet.leave, on ${nodes}`, async () => {
      const { gate, canEnter } = allowLate()
      const [one, two] = pick(makeNodes({ canEnter }))
      const transport = new MemoryTransport()
      const identity = { uid: 'alice', rooms: ['hall'] }
      const connecting = two.connect({ identity, transport, rids: ['den', 'attic'] })
      await gate.arrival()
      for (const rid of ['den', 'hall']) await one.leave({ uid: 'alice' }, rid)
      gate.open()
      await connecting
      const { rooms, refused } = transport.control('ready') ?? {}
      assert.deepEqual([rooms, refused], [['attic'], ['den']])
      assert.deepEqual([await one.count('den'), await one.count('hall')], [0, 0])
    })

    it(`are not entered after Comet.disconnect, by a JOIN that canEnter allows then, on ${nodes}`, async () => {
      const { gate, canEnter } = allowLate()
      const [one, two] = pick(makeNodes({ canEnter }))
      const client = await connect(two, 'alice')
      const joining = assert.rejects(join(two, client.sid), { code: 'NO_SUCH_SESSION' })
      await gate.arrival()
      assert.equal(await one.disconnect({ uid: 'alice' }), 1)
      gate.open()
      await joining
      assert.deepEqual([await one.count('den'), await one.isOnline('alice')], [0, false])
    })
  }

  it('are entered by Comet.enter for a session that is being taken over, and left by Comet.leave', async () => {
    const broker = new MemoryBroker()
    const gates: Gate[] = []
    const presence = answerLate(broker.presence, async () => await gates.shift()?.pass())
    const make = () => makeComet({ broker, presence, offlineGrace: 60_000 }).comet
    const [one, two] = [make(), make()]
    for (const other of [one, two]) {
      const first = new MemoryTransport()
      await one.connect({ identity: 'alice', transport: first, clientId: 'page', rids: ['hall'] })
      const gate = new Gate()
      gates.push(gate)
      const second = new MemoryTransport()
      const connecting = other.connect({ identity: 'alice', transport: second, clientId: 'page' })
      await gate.arrival()
      const entering = one.enter({ sid: first.sid }, 'den')
      const leaving = one.leave({ sid: first.sid }, 'hall')
      gate.open()
      await connecting
      assert.deepEqual([await entering, await leaving], [true, true])
      assert.deepEqual([await one.count('den'), await one.count('hall')], [1, 0])
      assert.equal(await hears(one, second, 'den'), true)
      assert.equal(await hears(one, second, 'hall'), false)
      await one.disconnect({ uid: 'alice' })
    }
  })

  it('are left with their session: Comet.disconnect also ends the connection that is taking it over', async () => {
    const broker = new MemoryBroker()
    const gates: Gate[] = []
    const presence = answerLate(broker.presence, async () => await gates.shift()?.pass())
    const make = () => makeComet({ broker, presence, offlineGrace: 60_000 }).comet
    const [one, two] = [make(), make()]
    for (const other of [one, two]) {
      for (const target of ['sid', 'rid'] as const) {
        const first = new MemoryTransport()
        await one.connect({ identity: 'alice', transport: first, clientId: 'page', rids: ['hall'] })
        const gate = new Gate()
        gates.push(gate)
        const second = new MemoryTransport()
        const connecting = other.connect({ identity: 'alice', transport: second, clientId: 'page' })
        await gate.arrival()
        const banned = one.disconnect(target === 'sid' ? { sid: first.sid } : { rid: 'hall' })
        gate.open()
        await connecting
        await banned
        assert.deepEqual([first.closed, second.closed, await one.isOnline('alice')], [true, true, false])
      }
    }
  })
})
