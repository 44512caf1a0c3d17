import assert from 'node:assert/strict'
import { type Comet, MemoryBroker } from '../../../lib/index.ts'
import { closeComets, connect, makeComet } from '../../support/comets.ts'
import { until } from '../../support/inbox.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'

const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)))

describe('Comet.publish to several targets', () => {
  afterEach(closeComets)

  async function comeBack(comet: Comet, uid: string, rids: readonly string[], position: string) {
    const transport = new MemoryTransport()
    await comet.connect({ identity: uid, transport, rids, position })
    return transport
  }

  it('reaches who is in several rooms once, by the first of them in the list, live and on resume', async () => {
    const broker = new MemoryBroker()
    const nodes = [makeComet({ broker }).comet, makeComet({ broker }).comet]
    const [one, two] = nodes as [Comet, Comet]
    const clients = [
      await connect(one, 'both', 'b', 'a'),
      await connect(two, 'only b', 'b'),
      await connect(two, 'neither', 'c'),
    ]
    const start = String(clients[0]?.lastEventId)
    await one.publish({ rid: ['a', 'b', 'a'], event: 'x', data: 1 })
    await one.publish({ rid: ['b', 'a'], evt: 'y' })
    await one.publish({ rid: 'a', evt: 'z' })
    await turn()
    const seen = clients.map(({ labels, events }) => [
      labels,
      events.filter(({ id }) => id !== undefined).length,
    ])
    assert.deepEqual(seen, [
      [[':rid=a', ':rid=b', ':rid=a'], 4],
      [[':rid=b', ':rid=b'], 3],
      [[], 1],
    ])
    for (const comet of nodes) {
      const back = await comeBack(comet, 'both', ['b', 'a'], start)
      assert.deepEqual(back.labels, [':rid=a', ':rid=b', ':rid=a'])
      assert.deepEqual([back.named, back.published], [[['x', 1]], ['y', 'z']])
      assert.deepEqual((await comeBack(comet, 'only b', ['b'], start)).labels, [':rid=b', ':rid=b'])
      assert.equal(comet.history({ rid: 'a' }).length, 3)
      assert.equal(comet.history({ rid: 'b' }).length, 2)
      assert.equal(comet.stats().history.events, 3)
    }
  })

  it('reaches several users and sessions, each once, and passes over several', async () => {
    const { comet } = makeComet()
    const [alice, bob, carol] = [
      await connect(comet, 'alice', 'den'),
      await connect(comet, 'bob', 'den'),
      await connect(comet, 7, 'den'),
    ]
    await comet.publish({ uid: ['alice', 'bob', 'alice', 7n, 'nobody'], evt: 'users' })
    await comet.publish({ sid: [alice.sid, bob.sid, alice.sid, 'gone'], evt: 'sessions' })
    await comet.publish({ rid: 'den', evt: 'not these' }, { except: { uid: ['alice', 7] } })
    await comet.publish({ evt: 'nor these' }, { except: { sid: [bob.sid, carol.sid, 'gone'] } })
    await turn()
    assert.deepEqual(
      [alice, bob, carol].map(({ published }) => published),
      [['users', 'sessions', 'nor these'], ['users', 'sessions', 'not these'], ['users']],
    )
    assert.deepEqual(alice.labels.slice(0, 2), [':uid', ':sid'])
  })

  it('passes over long lists of users on resume, too', async () => {
    const { comet } = makeComet()
    const start = String((await connect(comet, 'alice')).lastEventId)
    const except = { uid: Array.from({ length: 500 }, (_, index) => `user-${index}`) }
    for (let index = 0; index < 20; index += 1) await comet.publish({ evt: `${index}` }, { except })
    assert.deepEqual((await comeBack(comet, 'user-499', [], start)).published, [])
    assert.equal((await comeBack(comet, 'user-500', [], start)).published.length, 20)
  })

  it('reaches nobody with an empty list, never the world, and asks no broker', async () => {
    const broker = new MemoryBroker()
    let published = 0
    const counted = {
      presence: broker.presence,
      controller: broker.controller,
      join: (node: Parameters<MemoryBroker['join']>[0]) => {
        const connection = broker.join(node)
        return {
          ...connection,
          publish: (envelope: Parameters<typeof connection.publish>[0]) => {
            published += 1
            return connection.publish(envelope)
          },
        }
      },
    }
    const { comet } = makeComet({ broker: counted })
    const alice = await connect(comet, 'alice', 'den')
    await comet.publish({ uid: [], evt: 'x' })
    await comet.publish({ uid: [], rid: 'den', evt: 'x' })
    await comet.publish({ rid: [], event: 'x', data: 1 })
    await comet.publish({ sid: [], evt: 'x' })
    await turn()
    assert.deepEqual([alice.events.length, published, comet.stats().published], [1, 0, 0])
    await comet.publish({ uid: 'alice', rid: [], evt: 'uid decides' })
    await until(() => alice.published.length === 1)
  })

  it('refuses a list with a hole, a wrong id or too many of them, and a sid beside others', async () => {
    const { comet } = makeComet({ maxTargets: 3 })
    comet.on('error', () => {})
    const hole = ['a', 'b']
    delete hole[0]
    for (const [target, says] of [
      [{ uid: ['a', undefined] }, /^uid\[1\] must be a string, not undefined/],
      [{ uid: ['a', null] }, /^uid\[1\] must be a string, not null/],
      [{ rid: [''] }, /^rid\[0\] must not be empty/],
      [{ rid: hole }, /^rid\[0\] must be a string, not undefined/],
      [{ sid: [7] }, /^sid\[0\] must be a string/],
      [{ uid: [['a']] }, /^uid\[0\] must be a string, not an array/],
      [{ uid: ['a', 'b', 'c', 'd'] }, /^uid must name at most 3 \(option maxTargets\)/],
      [{ sid: 's', uid: 'a' }, /must have a sid, or a uid or rid, but not both/],
      [{ sid: 's', rid: [] }, /must have a sid, or a uid or rid, but not both/],
      [{ uid: new Set(['a']) }, /^uid must be a string or an integer, not an object/],
    ] as const) {
      const refused = comet.publish({ ...(target as object), evt: 'x' })
      await assert.rejects(refused, { code: 'INVALID_TARGET', message: says })
    }
    await assert.rejects(comet.publish({ evt: 'x' }, { except: { uid: ['a', ''] } }), { code: 'INVALID_ID' })
    assert.throws(() => comet.history({ rid: ['a'] } as never), {
      code: 'INVALID_TARGET',
      message: /one id here/,
    })
    await comet.publish({ uid: ['a', 'b', 'c'], evt: 'x' })
    assert.equal(comet.stats().history.events, 1)
  })

  it('keeps an event for each target as keepHistory says', async () => {
    const keepHistory = ({ uid, rid }: { uid?: string; rid?: string }) =>
      rid === 'run' ? { events: 5 } : rid !== 'secret' && uid === undefined
    const { comet } = makeComet({ historyEvents: 2, keepHistory })
    const start = String((await connect(comet, 'alice')).lastEventId)
    for (let index = 0; index < 9; index += 1) {
      await comet.publish({ rid: ['secret', 'run', 'den'], evt: `${index}` })
      await comet.publish({ uid: ['alice', 'bob'], evt: `${index}` })
    }
    const counts = [{ rid: 'run' }, { rid: 'den' }, { rid: 'secret' }, { uid: 'alice' }].map(
      (target) => comet.history(target).length,
    )
    assert.deepEqual(counts, [5, 2, 0, 0])
    const back = await comeBack(comet, 'alice', ['secret', 'run', 'den'], start)
    assert.deepEqual(back.published, ['4', '5', '6', '7', '8'])
    assert.deepEqual(back.control('gap')?.targets, [{ rid: 'run' }, { rid: 'den' }])
    assert.ok(back.labels.every((label) => label === ':rid=run'))
  })

  it('shares the block among all who get it by one target', async () => {
    const { comet } = makeComet()
    const buffers = new Set<ArrayBufferLike>()
    class Counting extends MemoryTransport {
      override write(batch: Parameters<MemoryTransport['write']>[0]): boolean {
        if (batch.length > 50_000) buffers.add(batch.bytes.buffer)
        return super.write(batch)
      }
    }
    for (let index = 0; index < 30; index += 1) {
      await comet.connect({ identity: `${index}`, transport: new Counting(), rids: [`room-${index % 3}`] })
    }
    await comet.publish({ rid: ['room-0', 'room-1', 'room-2'], event: 'x', data: 'x'.repeat(60_000) })
    await turn()
    assert.equal(buffers.size, 3)
    buffers.clear()
    await comet.publish({
      uid: Array.from({ length: 30 }, (_, index) => index),
      event: 'x',
      data: 'x'.repeat(60_000),
    })
    await turn()
    assert.equal(buffers.size, 1)
  })
})
