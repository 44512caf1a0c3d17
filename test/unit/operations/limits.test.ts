import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import type { CometError } from '../../../lib/index.ts'
import { closeComets, connect, makeComet } from '../../support/comets.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'

describe('Limits', () => {
  afterEach(closeComets)

  it('maxSessionsPerUser: one session more closes the oldest for good', async () => {
    const { comet } = makeComet({ maxSessionsPerUser: 2 })
    const [first, second, third] = [
      await connect(comet, 'alice'),
      await connect(comet, 'alice'),
      await connect(comet, 'alice'),
    ]
    assert.equal(first.control('close')?.code, 'EVICTED')
    assert.equal(first.control('close')?.reconnect, false)
    assert.deepEqual([second.closed, third.closed], [false, false])
    await connect(comet, 'bob')
    assert.equal(comet.stats().sessions, 3)
  })

  it("maxSessionsPerUser: with onExcess 'reject' one session more gets 429; sessions in grace and anonymous ones do not count", async () => {
    const { comet } = makeComet({ maxSessionsPerUser: 2, onExcess: 'reject', offlineGrace: 60_000 })
    const first = await connect(comet, 'alice')
    await connect(comet, 'alice')
    await assert.rejects(connect(comet, 'alice'), { code: 'TOO_MANY_SESSIONS', status: 429 })
    first.drop()
    await connect(comet, 'alice')
    for (let guest = 0; guest < 5; guest += 1) await connect(comet, { anonymous: true })
  })

  it('maxSessions: one session more gets a temporary error', async () => {
    const { comet } = makeComet({ maxSessions: 2 })
    const first = await connect(comet, 'alice')
    await connect(comet, { anonymous: true })
    await assert.rejects(connect(comet, 'bob'), (error: CometError) => error.temporary)
    first.drop()
    await connect(comet, 'bob')
  })

  it('maxSessions: a takeover does not count as one more', async () => {
    const { comet } = makeComet({ maxSessions: 1, maxSessionsPerUser: 1, onExcess: 'reject' })
    const page = async () => {
      const transport = new MemoryTransport()
      await comet.connect({ identity: 'alice', transport, clientId: 'page' })
      return transport
    }
    const first = await page()
    const second = await page()
    assert.deepEqual([first.closed, second.closed], [true, false])
  })

  it('connectRate: a burst of twice maxSessionsPerUser, then one stream for each part of a minute', async () => {
    const clock = FakeTimers.install({ toFake: ['performance'] })
    try {
      let asked = 0
      const canEnter = () => ++asked > 0
      const { comet } = makeComet({ maxSessionsPerUser: 2, connectRate: 6, canEnter })
      for (let count = 0; count < 4; count += 1) await connect(comet, 'alice', 'den')
      const refused = () =>
        assert.rejects(connect(comet, 'alice', 'den'), (error: CometError) => {
          return error.code === 'TOO_MANY_CONNECTS' && error.temporary && error.status === 503
        })
      await refused()
      assert.equal(asked, 4)
      await connect(comet, 'bob', 'den')
      for (let count = 0; count < 10; count += 1) await connect(comet, { anonymous: true })
      clock.tick(9_999)
      await refused()
      clock.tick(1)
      await connect(comet, 'alice', 'den')
      await refused()
    } finally {
      clock.uninstall()
    }
  })

  it('maxRoomsPerSession: more rooms by URL are refused, JOIN gets 403, and the app is not limited', async () => {
    const { comet } = makeComet({ maxRoomsPerSession: 2 })
    const alice = await connect(comet, { uid: 'alice', rooms: ['a'] }, 'b', 'c')
    assert.deepEqual(alice.control('ready')?.rooms, ['a', 'b'])
    assert.deepEqual(alice.control('ready')?.refused, ['c'])
    const packet = { type: 'JOIN', join: { rid: 'd' } }
    const join = () => comet.receive({ sid: alice.sid, identity: 'alice', packet })
    await assert.rejects(join(), { code: 'TOO_MANY_ROOMS', status: 403 })
    await comet.leave({ sid: alice.sid }, 'b')
    await join()
    assert.equal(await comet.enter({ sid: alice.sid }, 'e'), true)
    await assert.rejects(connect(comet, { uid: 'bob', rooms: ['a', 'b'] }, 'c'), { code: 'TOO_MANY_ROOMS' })
  })
})

describe('CometOptions.maxSessionsPerUser', () => {
  afterEach(closeComets)

  it('lets a user exchange its only session without going offline', async () => {
    const { comet, reported } = makeComet({ maxSessionsPerUser: 1, offlineGrace: 60_000 })
    const first = await connect(comet, 'alice', 'den')
    reported.splice(0)
    await connect(comet, 'alice', 'den')
    assert.equal(first.control('close')?.code, 'EVICTED')
    assert.deepEqual(reported, [])
  })

  it('lets a user exchange a session on a node that is full', async () => {
    const { comet } = makeComet({ maxSessionsPerUser: 1, maxSessions: 2 })
    await connect(comet, 'bob')
    const first = await connect(comet, 'alice')
    const second = await connect(comet, 'alice')
    assert.deepEqual([first.closed, second.closed], [true, false])
    await assert.rejects(connect(comet, 'carol'), { code: 'UNAVAILABLE' })
  })
})
