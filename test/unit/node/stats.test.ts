import assert from 'node:assert/strict'
import { closeComets, makeComet } from '../../support/comets.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'

describe('Comet.dump and Comet.stats', () => {
  afterEach(closeComets)

  it('show a session', async () => {
    const { comet } = makeComet()
    const alice = new MemoryTransport()
    await comet.connect({ identity: 'alice', transport: alice, rids: ['den'], clientId: 'tab 1' })
    await comet.publish({ evt: 'x' })
    const { sid } = alice
    const connection = String(alice.control('ready')?.connection)
    assert.deepEqual(comet.dump(), {
      node: comet.stats().node,
      sessions: [{ sid, connection, uid: 'alice', anonymous: false, rooms: ['den'], clientId: 'tab 1' }],
      rooms: [{ rid: 'den', sids: [sid] }],
    })
    const { node, ...numbers } = comet.stats()
    assert.ok(sid.startsWith(`${node}.`))
    assert.deepEqual(numbers, {
      sessions: 1,
      users: 1,
      rooms: 1,
      connections: 1,
      packets: 0,
      published: 1,
      delivered: 1,
      closes: {},
      history: { events: 1, targets: 1, bytes: numbers.history.bytes },
      ports: { broker: 'up', presence: 'up', controller: 'up', since: numbers.ports.since },
    })
  })
})
