import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import type { CometError, CometOptions, Identified } from '../../../lib/index.ts'
import { closeComets, connect, makeComet } from '../../support/comets.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'
import { PacedTransport } from '../../support/paced-transport.ts'

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

  describe('maxBufferedBytes', () => {
    const turn = () => new Promise(setImmediate)

    it('closes a reader that falls further behind, which resumes without loss', async () => {
      const { comet } = makeComet({ maxBufferedBytes: 1_000 })
      const slow = new PacedTransport()
      await comet.connect({ identity: 'alice', transport: slow })
      slow.read()
      const fast = await connect(comet, 'bob')
      for (let index = 0; index < 50 && !slow.closed; index += 1) {
        await comet.publish({ evt: `${index}`.padEnd(100) })
        await turn()
      }
      assert.ok(slow.closed)
      assert.equal(slow.control('close')?.code, 'SLOW')
      assert.equal(slow.control('close')?.reconnect, true)
      const again = new MemoryTransport()
      await comet.connect({ identity: 'alice', transport: again, position: String(slow.lastEventId) })
      assert.deepEqual([...slow.published, ...again.published], fast.published)
    })

    it('never closes a reader for one large event, one large burst, or a long replay', async () => {
      const { comet } = makeComet({ maxBufferedBytes: 1_000 })
      const client = new PacedTransport()
      await comet.connect({ identity: 'alice', transport: client })
      const start = String(client.lastEventId)
      client.read()
      await comet.publish({ evt: 'x'.repeat(1_048_576) })
      await turn()
      for (let index = 0; index < 100; index += 1) comet.publish({ evt: 'y'.repeat(100) })
      await turn()
      assert.equal(client.closed, false)
      client.read()
      client.read()
      assert.equal(client.published.length, 101)
      const again = new PacedTransport()
      await comet.connect({ identity: 'bob', transport: again, position: start })
      for (let index = 0; index < 50; index += 1) {
        await comet.publish({ evt: 'z'.repeat(100) })
        await turn()
      }
      for (let reads = 0; reads < 20; reads += 1) again.read()
      assert.equal(again.closed, false)
      assert.equal(again.published.length, 151)
    })
  })
})

describe('CometOptions.maxSessionsPerUser', () => {
  afterEach(closeComets)

  it('lets a user exchange its only session without going offline', async () => {
    const { comet, said } = makeComet({ maxSessionsPerUser: 1, offlineGrace: 1_000 })
    const first = await connect(comet, 'alice', 'den')
    said.splice(0)
    await connect(comet, 'alice', 'den')
    assert.equal(first.control('close')?.code, 'EVICTED')
    assert.deepEqual(said, [])
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

describe('Liveness', () => {
  let clock: FakeTimers.Clock
  beforeEach(() => {
    clock = FakeTimers.install({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'],
    })
  })
  afterEach(async () => {
    clock.uninstall()
    await closeComets()
  })

  async function open(options: CometOptions, identity: Identified = 'alice', answersHeartbeats = false) {
    const { comet } = makeComet(options)
    const transport = new MemoryTransport()
    await comet.connect({ identity, transport, answersHeartbeats })
    return { comet, transport, pass: async (ms: number) => void (await clock.tickAsync(ms)) }
  }

  it('closes a client that answers heartbeats after three silent intervals', async () => {
    const { comet, transport, pass } = await open({ maxConnectionAge: 0 }, 'alice', true)
    await pass(40_000)
    await comet.receive({ sid: transport.sid, identity: 'alice', packet: { type: 'HB' } })
    await pass(44_900)
    assert.equal(transport.closed, false)
    await pass(15_300)
    assert.equal(transport.control('close')?.code, 'SILENT')
    assert.equal(comet.stats().sessions, 0)
  })

  it('closes any other client at 80 to 100 % of maxConnectionAge', async () => {
    const { transport, pass } = await open({ maxConnectionAge: 100_000 })
    await pass(79_900)
    assert.equal(transport.closed, false)
    await pass(20_300)
    assert.equal(transport.control('close')?.code, 'AGED')
    assert.equal(transport.control('close')?.reconnect, true)
  })

  it('closes neither without heartbeatInterval and maxConnectionAge', async () => {
    const { transport, pass } = await open({ maxConnectionAge: 0, heartbeatInterval: 0 }, 'alice', true)
    await pass(24 * 3_600_000)
    assert.equal(transport.closed, false)
  })

  it('closes a session when its identity expires', async () => {
    const { transport, pass } = await open({}, { uid: 'alice', expiresAt: Date.now() + 60_000 })
    await pass(59_000)
    assert.equal(transport.closed, false)
    await pass(1_200)
    assert.equal(transport.control('close')?.code, 'EXPIRED')
  })

  it('sends one heartbeat in every interval', async () => {
    const { transport, pass } = await open({ maxConnectionAge: 0 })
    const beats = () => transport.events.filter(({ event }) => event === 'comet.heartbeat').length
    await pass(15_100)
    assert.ok(beats() >= 1)
    await pass(150_000)
    // The first comes at random within an interval.
    assert.ok(beats() >= 10 && beats() <= 12, `${beats()}`)
  })
})
