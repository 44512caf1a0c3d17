import assert from 'node:assert/strict'
import { type CometOptions, MemoryBroker, Publisher } from '../../lib/index.ts'
import { closeComets, connect, makeComet } from '../support/comets.ts'
import { until } from '../support/inbox.ts'
import { MemoryTransport } from '../support/memory-transport.ts'
import { type LogNode, SharedLog } from '../support/shared-log.ts'

describe('Publisher', () => {
  afterEach(closeComets)

  function make(options: CometOptions = {}) {
    const broker = new MemoryBroker()
    const { comet, reported } = makeComet({ broker, ...options })
    return { broker, comet, reported, publisher: new Publisher({ broker }) }
  }

  it('publishes to the clients of the Comets on its broker, and to their history', async () => {
    const { comet, publisher } = make()
    const alice = await connect(comet, 'alice', 'den')
    await publisher.ready
    await publisher.publish({ uid: 'alice', evt: 'one' })
    await publisher.publish({ rid: ['den', 'hall'], event: 'two', data: { n: 2 } })
    assert.equal(await publisher.publishAll({ rid: 'den' }, ['a', 'b'], { event: 'token' }), 2)
    await until(() => alice.named.length === 4)
    assert.deepEqual(alice.published, ['one'])
    assert.deepEqual(alice.named, [
      ['two', { n: 2 }],
      ['token', 'a'],
      ['token', 'b'],
      ['token.end', { ok: true, count: 2 }],
    ])
    assert.equal(comet.history({ rid: 'den' }).length, 4)
    await publisher.close()
    await publisher.close()
    await assert.rejects(publisher.publish({ evt: 'late' }), { code: 'SHUTTING_DOWN' })
  })

  it('disconnects on all nodes after what it published, those in grace included', async () => {
    const { broker, comet, publisher, reported } = make({ offlineGrace: 60_000 })
    const { comet: other, reported: otherReported } = makeComet({ broker, offlineGrace: 60_000 })
    const [first, second] = [await connect(comet, 'alice'), await connect(other, 'alice')]
    const dropped = new MemoryTransport()
    await comet.connect({ identity: 'alice', transport: dropped })
    dropped.drop()
    const bob = await connect(other, 'bob')
    publisher.publish({ uid: 'alice', evt: 'bye' })
    await publisher.disconnect({ uid: 'alice' }, { reason: 'banned' })
    await until(async () => !(await comet.isOnline('alice')))
    for (const transport of [first, second]) {
      assert.deepEqual(transport.published, ['bye'])
      assert.deepEqual(transport.control('close'), {
        code: 'DISCONNECTED',
        reason: 'banned',
        reconnect: false,
      })
    }
    assert.deepEqual([...reported, ...otherReported].sort(), ['OFFLINE alice', 'ONLINE alice', 'ONLINE bob'])
    assert.equal(bob.closed, false)
    await publisher.disconnect({ sid: bob.sid })
    await until(() => bob.closed)
    await publisher.disconnect({ sid: bob.sid })
    await publisher.disconnect({ rid: 'empty' })
  })

  it('counts as no node: commands do not reach it, and it is nobody’s reader', async () => {
    const { comet, publisher } = make()
    await connect(comet, 'alice')
    assert.equal(await comet.disconnect({ uid: 'alice' }), 1)
    await publisher.publish({ evt: 'x' })
  })

  it('tells an outage once, and callers the rest', async () => {
    const broker = new SharedLog()
    const publisher = new Publisher({ broker })
    const [node] = broker.nodes as [LogNode]
    const heard: unknown[] = []
    const onStatus = ({ up, rejected }: { up: boolean; rejected?: number }) => heard.push([up, rejected])
    publisher.on('status', onStatus).on('error', ({ message }) => heard.push(message))
    node.tell({ up: false, error: new Error('gone') })
    await assert.rejects(publisher.publish({ evt: 'x' }), { code: 'UNAVAILABLE' })
    node.tell({ up: true })
    publisher.off('status', onStatus)
    node.tell({ up: false, error: new Error('again') })
    assert.deepEqual(heard, [
      'The broker cannot be reached: gone',
      [false, undefined],
      [true, 1],
      'The broker cannot be reached: again',
    ])
  })

  it('refuses what it cannot have, and says what it needs', async () => {
    const { broker, publisher } = make()
    const invalid = (message: RegExp) => ({ code: 'INVALID_OPTION', message })
    // @ts-expect-error
    assert.throws(() => new Publisher(), invalid(/options of Publisher/))
    // @ts-expect-error
    assert.throws(() => new Publisher({}), invalid(/needs the option broker/))
    // @ts-expect-error
    assert.throws(() => new Publisher({ broker, canEnter: () => true }), invalid(/canEnter/))
    assert.throws(() => new Publisher({ broker, namespace: '' }), invalid(/namespace/))
    // @ts-expect-error
    assert.throws(() => publisher.on('online', () => {}), invalid(/hooks error and status/))
    await assert.rejects(publisher.disconnect({ uid: '' }), { code: 'INVALID_ID', status: undefined })
    await assert.rejects(publisher.publish({ rid: '', evt: '' }), { code: 'INVALID_TARGET' })
    // @ts-expect-error
    await assert.rejects(publisher.disconnect({ uid: 'a' }, { reason: 7 }), invalid(/reason/))
  })
})
