import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import { closeComets, connect, makeComet } from '../../support/comets.ts'
import { until } from '../../support/inbox.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'

describe('Comet.connect', () => {
  afterEach(closeComets)

  it('begins the stream with comet.ready, after ONLINE and ENTER_ROOM are out', async () => {
    const { comet, reported } = makeComet({
      canEnter: ({ rid }) => rid !== 'vault',
      heartbeatInterval: 1_234,
    })
    const transport = new MemoryTransport()
    transport.write = (bytes) => {
      reported.push('first byte')
      return MemoryTransport.prototype.write.call(transport, bytes)
    }
    await comet.connect({
      identity: { uid: 'alice', rooms: ['home'] },
      transport,
      rids: ['den', 'vault', 'home'],
    })
    assert.deepEqual(reported, [
      'ONLINE alice',
      'ENTER_ROOM alice home',
      'ENTER_ROOM alice den',
      'first byte',
    ])
    const { sid, connection, ...ready } = transport.control('ready') ?? {}
    assert.equal(typeof sid, 'string')
    assert.equal(connection, sid)
    assert.deepEqual(ready, {
      version: 1,
      uid: 'alice',
      rooms: ['home', 'den'],
      refused: ['vault'],
      recovered: false,
      heartbeat: 1_234,
    })
  })

  it('delivers what an "online" hook publishes to its user, after comet.ready', async () => {
    const { comet } = makeComet()
    comet.on('online', ({ uid }) => void comet.publish({ uid, evt: 'welcome' }))
    const alice = await connect(comet, 'alice')
    assert.deepEqual(
      alice.events.map(({ event, data }) => (event === undefined ? data : event)),
      ['comet.ready', 'welcome'],
    )
  })

  it('ends the session, and rejects, when the transport fails to open', async () => {
    const { comet, reported } = makeComet({ offlineGrace: 0, canEnter: () => true })
    const failure = new Error('no head')
    const transport = new MemoryTransport()
    transport.open = () => {
      throw failure
    }
    await assert.rejects(comet.connect({ identity: 'alice', transport, rids: ['den'] }), failure)
    const { sessions, rooms } = comet.dump()
    assert.deepEqual([sessions, rooms], [[], []])
    assert.deepEqual(comet.stats().closes, { GONE: 1 })
    await until(() => reported.length === 4)
    assert.deepEqual(reported, [
      'ONLINE alice',
      'ENTER_ROOM alice den',
      'LEAVE_ROOM alice den',
      'OFFLINE alice',
    ])
    assert.equal(transport.closed, false)
  })

  it('ends a session once when its transport turns out to be over, or fails, as the app ends it', async () => {
    for (const fails of [true, false]) {
      const { comet } = makeComet()
      comet.on('online', ({ uid }) => void comet.disconnect({ uid }))
      const transport = new MemoryTransport()
      transport.open = () => {
        if (fails) throw new Error('no head')
        transport.drop()
        return true
      }
      await comet.connect({ identity: 'alice', transport })
      assert.deepEqual(comet.dump().sessions, [])
      assert.equal(
        Object.values(comet.stats().closes).reduce((sum, count) => sum + count),
        1,
      )
    }
  })

  it('ends a session that an "online" hook disconnects: the client is told, and nothing of it is left', async () => {
    const { comet, reported } = makeComet()
    comet.on('online', async ({ uid }) => void (await comet.disconnect({ uid }, { reason: 'banned' })))
    const mallory = await connect(comet, 'mallory', 'den')
    assert.deepEqual(mallory.control('close'), { code: 'DISCONNECTED', reason: 'banned', reconnect: false })
    assert.deepEqual(reported, [
      'ONLINE mallory',
      'ENTER_ROOM mallory den',
      'LEAVE_ROOM mallory den',
      'OFFLINE mallory',
    ])
    assert.equal(comet.stats().sessions, 0)
    assert.equal(mallory.control('ready'), undefined)
  })

  it('leaves nothing behind when the client goes while canEnter decides', async () => {
    let answer: (allowed: boolean) => void = () => {}
    const { comet, reported } = makeComet({ canEnter: () => new Promise((resolve) => (answer = resolve)) })
    const transport = new MemoryTransport()
    const connecting = comet.connect({ identity: 'alice', transport, rids: ['den'] })
    transport.drop()
    answer(true)
    await connecting
    assert.deepEqual(reported, [])
    const { sessions, rooms } = comet.dump()
    assert.deepEqual([sessions, rooms], [[], []])
    assert.equal(transport.opened, false)
  })

  it('refuses a client when the Comet closes while canEnter decides', async () => {
    let answer: (allowed: boolean) => void = () => {}
    const { comet, reported } = makeComet({ canEnter: () => new Promise((resolve) => (answer = resolve)) })
    const connecting = connect(comet, 'alice', 'den')
    await comet.close()
    answer(true)
    await assert.rejects(connecting, { code: 'SHUTTING_DOWN' })
    assert.deepEqual(reported, [])
  })

  it('sends heartbeats with the current position, and none after the end', async () => {
    const clock = FakeTimers.install({ toFake: ['setInterval', 'clearInterval'] })
    try {
      const { comet } = makeComet({ heartbeatInterval: 1_000 })
      const alice = await connect(comet, 'alice')
      await comet.publish({ evt: 'x' })
      await until(() => alice.published.length > 0)
      const beats = () => alice.events.filter(({ event }) => event === 'comet.heartbeat')
      clock.tick(2_000)
      await new Promise(setImmediate)
      assert.equal(beats().length, 2)
      const { id } = alice.events.findLast(({ event }) => event === undefined) ?? {}
      assert.deepEqual([beats()[1]?.id, beats()[1]?.data], [id, '{}'])
      await comet.disconnect({ uid: 'alice' })
      clock.tick(2_000)
      assert.deepEqual([beats().length, clock.countTimers()], [2, 0])
    } finally {
      clock.uninstall()
    }
  })

  describe('an anonymous session', () => {
    it('causes no activity and is never present', async () => {
      const { comet, reported } = makeComet()
      const guest = await connect(comet, { anonymous: true }, 'den')
      const { uid, sid } = guest.control('ready') ?? {}
      await comet.receive({ sid: String(sid), identity: { anonymous: true }, packet: {} })
      assert.deepEqual(reported, [])
      assert.equal(await comet.isOnline(String(uid)), false)
      assert.equal(await comet.count('den'), 0)
      assert.equal(await comet.enter({ uid: String(uid) }, 'attic'), false)
      guest.drop()
      assert.equal(comet.stats().sessions, 0)
      assert.deepEqual(reported, [])
    })

    it('has a uid of its own, which events can be published to', async () => {
      const { comet } = makeComet()
      const [one, two] = [
        await connect(comet, { anonymous: true }),
        await connect(comet, { anonymous: true }),
      ]
      await comet.publish({ uid: String(one.control('ready')?.uid), evt: 'psst' })
      await until(() => one.published.length > 0)
      assert.deepEqual([one.published, two.published], [['psst'], []])
    })
  })
})
