import assert from 'node:assert/strict'
import {
  type CometError,
  type CometOptions,
  type Controller,
  MemoryBroker,
  type Presence,
  type PresenceConnection,
} from '../../../lib/index.ts'
import { closeComets, connect, makeComet } from '../../support/comets.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'

/** A presence whose methods fail once they are in `broken`. */
function fragilePresence(): { presence: Presence; broken: Set<keyof PresenceConnection> } {
  const broken = new Set<keyof PresenceConnection>()
  const { presence: sound } = new MemoryBroker()
  const join: Presence['join'] = (node) =>
    new Proxy(sound.join(node), {
      get: (connection, name: keyof PresenceConnection) =>
        broken.has(name) ? () => Promise.reject(new Error(`${name}: connection lost`)) : connection[name],
    })
  return { presence: { join }, broken }
}

describe('When presence fails, Comet', () => {
  afterEach(closeComets)

  function make(options: CometOptions = {}) {
    const { presence, broken } = fragilePresence()
    const { comet } = makeComet({ broker: new MemoryBroker(), presence, ...options })
    const errors: string[] = []
    comet.on('error', ({ message }) => errors.push(message))
    return { comet, broken, errors }
  }

  it('gives a newcomer a temporary error, reports the failure, and keeps nothing of the client', async () => {
    const { comet, broken, errors } = make()
    broken.add('connect')
    const transport = new MemoryTransport()
    const refused = comet.connect({ identity: 'alice', transport, rids: ['den'] })
    await assert.rejects(refused, (error: CometError) => error.temporary)
    const { sessions, rooms } = comet.dump()
    assert.deepEqual([sessions, rooms], [[], []])
    assert.deepEqual([transport.opened, transport.closed], [false, false])
    assert.ok(errors.includes('connect: connection lost'))
  })

  it('evicts no live session for a newcomer that it cannot let in', async () => {
    const { comet, broken } = make({ maxSessionsPerUser: 1, connectRate: 1_000_000 })
    const first = await connect(comet, 'alice')
    broken.add('connect')
    await assert.rejects(connect(comet, 'alice'), { code: 'UNAVAILABLE' })
    assert.equal(first.closed, false)
    broken.clear()
    await connect(comet, 'alice')
    assert.equal(first.control('close')?.code, 'EVICTED')
  })

  it('does not put a session into a room that presence does not know of', async () => {
    const { comet, broken } = make()
    const { sid } = await connect(comet, 'alice')
    broken.add('enter')
    const packet = { type: 'JOIN', join: { rid: 'den' } }
    await assert.rejects(comet.receive({ sid, identity: 'alice', packet }), {
      code: 'UNAVAILABLE',
      status: 503,
    })
    await assert.rejects(comet.enter({ sid }, 'den'), { code: 'UNAVAILABLE' })
    assert.deepEqual(comet.dump().rooms, [])
    broken.clear()
    assert.equal(await comet.enter({ sid }, 'den'), true)
  })

  it('still ends a session, and reports the failure', async () => {
    const { comet, broken, errors } = make()
    const alice = await connect(comet, 'alice')
    broken.add('disconnect')
    alice.drop()
    await new Promise(setImmediate)
    assert.equal(comet.stats().sessions, 0)
    assert.deepEqual(errors, ['disconnect: connection lost'])
  })

  it('still closes', async () => {
    const hanging = new MemoryBroker()
    const join: Presence['join'] = (node) =>
      Object.assign(hanging.presence.join(node), { disconnect: () => new Promise<never>(() => {}) })
    const { comet } = makeComet({ broker: new MemoryBroker(), presence: { join } })
    const alice = await connect(comet, 'alice')
    await comet.close({ drain: 30 })
    assert.ok(alice.closed)
  })
})

describe('When the controller fails, Comet.connect', () => {
  afterEach(closeComets)

  it('admits no client that brings a stay-away token of another node', async () => {
    const broker = new MemoryBroker()
    const join: Controller['join'] = (node) => ({
      ...broker.controller.join(node),
      request: () => Promise.reject(new Error('request: connection lost')),
    })
    const [one, two] = [makeComet({ broker }).comet, makeComet({ broker, controller: { join } }).comet]
    const client = await connect(one, 'alice')
    await one.disconnect({ sid: client.sid })
    const position = String(client.lastEventId)
    const transport = new MemoryTransport()
    await assert.rejects(two.connect({ identity: 'alice', transport, position }))
    assert.deepEqual([transport.opened, two.stats().sessions], [false, 0])
  })
})
