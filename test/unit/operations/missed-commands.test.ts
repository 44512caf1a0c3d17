import assert from 'node:assert/strict'
import {
  CometError,
  type Controller,
  MemoryBroker,
  type Presence,
  type PresenceHandler,
} from '../../../lib/index.ts'
import { closeComets, connect, makeComet } from '../../support/comets.ts'
import { until } from '../../support/inbox.ts'

/** Two nodes. What one asks the other is lost, as when that one stands still. What is told to all arrives. */
function makeNodes() {
  const broker = new MemoryBroker()
  const controller: Controller = {
    join: (node) => ({
      ...broker.controller.join(node),
      request: async () => {
        throw new CometError('OWNER_UNREACHABLE')
      },
    }),
  }
  const { presence, setUp } = fallible(broker.presence)
  const one = makeComet({ broker, controller }).comet
  const two = makeComet({ broker, controller, presence }).comet
  two.on('error', () => {})
  return { one, two, setUp }
}

/** A presence that a node can lose, and that answers it nothing then about memberships. */
function fallible(presence: Presence) {
  let isUp = true
  let handler: PresenceHandler | undefined
  return {
    setUp: (up: boolean) => {
      isUp = up
      handler?.onStatus({ up })
    },
    presence: {
      join: (node: PresenceHandler) => {
        handler = node
        const connection = presence.join(node)
        return {
          ...connection,
          membership: async (...args: Parameters<typeof connection.membership>) => {
            if (!isUp) throw new CometError('UNAVAILABLE')
            return await connection.membership(...args)
          },
          // Carried out, but the answer is lost. To leave the room `lost` is not carried out.
          enter: async (...args: Parameters<typeof connection.enter>) => {
            const answer = await connection.enter(...args)
            if (!isUp) throw new CometError('UNAVAILABLE')
            return answer
          },
          leave: async (...args: Parameters<typeof connection.leave>) => {
            if (!isUp && args[1] === 'lost') throw new CometError('UNAVAILABLE')
            const answer = await connection.leave(...args)
            if (!isUp) throw new CometError('UNAVAILABLE')
            return answer
          },
        }
      },
    },
  }
}

describe('A node that missed what another one asked it', () => {
  afterEach(closeComets)

  it('follows comet.enter and comet.leave of a user', async () => {
    const { one, two } = makeNodes()
    const alice = await connect(two, 'alice')
    const isRouted = () => two.dump().rooms.some(({ rid }) => rid === 'den')
    assert.equal(await one.enter({ uid: 'alice' }, 'den'), true)
    await until(isRouted)
    await one.publish({ rid: 'den', evt: 'inside' })
    assert.equal(await one.leave({ uid: 'alice' }, 'den'), true)
    await until(() => !isRouted())
    await one.publish({ rid: 'den', evt: 'outside' })
    await one.publish({ evt: 'for all' })
    await until(() => alice.published.includes('for all'))
    assert.deepEqual(alice.published, ['inside', 'for all'])
  })

  it('takes its sessions out of a room that the user was taken out of', async () => {
    const { one, two } = makeNodes()
    await connect(two, 'alice', 'den')
    assert.equal(await one.leave({ uid: 'alice' }, 'den'), true)
    await until(() => two.dump().rooms.length === 0)
  })

  it('follows as soon as it reaches presence again', async () => {
    const { one, two, setUp } = makeNodes()
    await connect(two, 'alice', 'attic')
    const rooms = () => two.dump().rooms.map(({ rid }) => rid)
    setUp(false)
    await one.enter({ uid: 'alice' }, 'den')
    await one.leave({ uid: 'alice' }, 'attic')
    await new Promise(setImmediate)
    assert.deepEqual(rooms(), ['attic'])
    setUp(true)
    await until(() => rooms().join() === 'den')
  })

  it('follows what presence has taken, though it did not answer the node that asked', async () => {
    const { one, two, setUp } = makeNodes()
    await connect(one, 'alice', 'attic')
    const rooms = () => one.dump().rooms.map(({ rid }) => rid)
    setUp(false)
    await assert.rejects(two.enter({ uid: 'alice' }, 'den'), { code: 'UNAVAILABLE' })
    await assert.rejects(two.leave({ uid: 'alice' }, 'attic'), { code: 'UNAVAILABLE' })
    assert.deepEqual([await one.members('den'), await one.count('attic')], [[{ uid: 'alice' }], 0])
    assert.deepEqual(rooms(), ['attic'])
    setUp(true)
    await until(() => rooms().join() === 'den')
  })

  it('takes a session out of a room when it can, if it could not at once', async () => {
    const { one, two, setUp } = makeNodes()
    const { sid } = await connect(two, 'alice', 'lost')
    setUp(false)
    await assert.rejects(two.leave({ sid }, 'lost'), { code: 'UNAVAILABLE' })
    assert.equal(await one.count('lost'), 1)
    setUp(true)
    await until(async () => (await one.count('lost')) === 0)
    assert.deepEqual(two.dump().rooms, [])
  })

  it('leaves a session in a room that it has entered since', async () => {
    const { one, two } = makeNodes()
    await connect(two, 'alice')
    await one.leave({ uid: 'alice' }, 'den')
    const { sid } = await connect(two, 'alice', 'den')
    await one.publish({ evt: 'later' })
    assert.deepEqual(two.dump().rooms, [{ rid: 'den', sids: [sid] }])
  })
})
