import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import { MemoryBroker } from '../../../lib/index.ts'
import { closeComets, connect, makeComet } from '../../support/comets.ts'
import { until } from '../../support/inbox.ts'

describe('Cluster: nodes that share a broker', () => {
  afterEach(closeComets)

  it('share events, presence and commands', async () => {
    const broker = new MemoryBroker()
    const [one, two] = [makeComet({ broker }), makeComet({ broker })]
    const alice = await connect(one.comet, 'alice', 'den')
    const bob = await connect(two.comet, 'bob', 'den')
    await two.comet.publish({ rid: 'den', evt: 'hi' })
    await until(() => alice.published.length > 0 && bob.published.length > 0)
    assert.equal(alice.events.at(-1)?.id, bob.events.at(-1)?.id)
    assert.deepEqual(await one.comet.members('den'), [{ uid: 'alice' }, { uid: 'bob' }])
    assert.equal(await two.comet.enter({ sid: alice.sid }, 'attic'), true)
    assert.equal(await two.comet.enter({ uid: 'alice' }, 'cellar'), true)
    assert.deepEqual(
      one.comet.dump().rooms.map(({ rid }) => rid),
      ['den', 'attic', 'cellar'],
    )
    assert.equal(await two.comet.leave({ uid: 'alice' }, 'den'), true)
    assert.equal(await two.comet.count('den'), 1)
    assert.equal(await two.comet.disconnect({ rid: 'cellar' }), 1)
    assert.ok(alice.closed)
    assert.equal(await one.comet.isOnline('alice'), false)
  })

  it('handle packets for sessions of other nodes', async () => {
    const broker = new MemoryBroker()
    const onMessage = ({ evt }: { evt: string }) => ({ got: evt })
    const [one, two] = [makeComet({ broker, onMessage }), makeComet({ broker })]
    const { sid } = await connect(one.comet, 'alice')
    one.reported.splice(0)
    const packet = { type: 'SEND', send: { evt: 'hi' } }
    assert.equal(await two.comet.receive({ sid, identity: 'alice', packet }), '{"got":"hi"}')
    assert.deepEqual([one.reported, two.reported], [['HEARD alice'], []])
    await assert.rejects(two.comet.receive({ sid, identity: 'bob', packet }), { code: 'NOT_YOUR_SESSION' })
  })

  it('keep a user present after its node has closed, until its grace is over', async () => {
    const clock = FakeTimers.install({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const broker = new MemoryBroker()
      const options = { broker, offlineGrace: 5_000 }
      const [one, two] = [makeComet(options), makeComet(options)]
      await connect(one.comet, 'alice', 'den')
      one.reported.splice(0)
      await one.comet.close()
      await clock.tickAsync(4_999)
      assert.equal(await two.comet.isOnline('alice'), true)
      await clock.tickAsync(1)
      assert.equal(await two.comet.isOnline('alice'), false)
      assert.deepEqual([one.reported, two.reported], [[], ['LEAVE_ROOM alice den', 'OFFLINE alice']])
    } finally {
      clock.uninstall()
    }
  })

  it('share nothing with another namespace', async () => {
    const broker = new MemoryBroker()
    const [one, two] = [makeComet({ broker }), makeComet({ broker, namespace: 'other' })]
    const [alice, eve] = [await connect(one.comet, 'alice'), await connect(two.comet, 'eve')]
    await one.comet.publish({ evt: 'ours' })
    await until(() => alice.published.length > 0)
    assert.deepEqual(eve.published, [])
    assert.equal(await two.comet.isOnline('alice'), false)
  })
})
