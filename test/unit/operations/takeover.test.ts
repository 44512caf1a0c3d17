import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import { type Comet, MemoryBroker } from '../../../lib/index.ts'
import { closeComets, makeComet } from '../../support/comets.ts'
import { Gate, until } from '../../support/inbox.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'

async function page(
  comet: Comet,
  options: { uid?: string; position?: string; rids?: string[]; clientId?: string } = {},
) {
  const { uid = 'alice', clientId = 'page', ...rest } = options
  const transport = new MemoryTransport()
  await comet.connect({ identity: uid, transport, clientId, ...rest })
  return transport
}

const join = (comet: Comet, sid: string, rid: string) =>
  comet.receive({ sid, identity: 'alice', packet: { type: 'JOIN', join: { rid } } })

describe('Takeover by clientId', () => {
  afterEach(closeComets)

  it('keeps the sid and the rooms that the session joined, without activity', async () => {
    const { comet, reported } = makeComet({ offlineGrace: 60_000 })
    const first = await page(comet)
    await join(comet, first.sid, 'den')
    await comet.publish({ rid: 'den', evt: '1' })
    await until(() => first.published.length === 1)
    first.drop()
    reported.splice(0)
    await comet.publish({ rid: 'den', evt: '2' })
    await comet.publish({ rid: 'den', evt: 'her own' }, { except: { sid: first.sid } })
    const second = await page(comet, { position: String(first.lastEventId) })
    assert.deepEqual(second.control('ready')?.rooms, ['den'])
    assert.equal(second.sid, first.sid)
    assert.deepEqual(second.published, ['2'])
    await comet.publish({ rid: 'den', evt: 'her own, too' }, { except: { sid: first.sid } })
    await comet.publish({ rid: 'den', evt: '3' })
    await until(() => second.published.length === 2)
    assert.deepEqual(second.published, ['2', '3'])
    assert.deepEqual(reported, [])
    assert.equal(comet.stats().sessions, 1)
  })

  it('ends a half-open previous connection at once and for good', async () => {
    const { comet, reported } = makeComet()
    const first = await page(comet, { rids: ['den'] })
    reported.splice(0)
    const second = await page(comet)
    assert.ok(first.closed)
    assert.deepEqual(first.control('close'), {
      code: 'TAKEN_OVER',
      reason: 'A new connection with the same clientId took over.',
      reconnect: false,
    })
    assert.deepEqual(reported, [])
    assert.equal(second.sid, first.sid)
    assert.equal(comet.stats().sessions, 1)
    await assert.rejects(page(comet, { position: String(first.lastEventId) }), { code: 'STAY_AWAY' })
    second.drop()
    assert.deepEqual(reported, ['LEAVE_ROOM alice den', 'OFFLINE alice'])
  })

  it('readmits the previous connection when the one that took over has gone, on any node', async () => {
    const broker = new MemoryBroker()
    const nodes = [makeComet({ broker, offlineGrace: 60_000 }), makeComet({ broker, offlineGrace: 60_000 })]
    const [one, two] = [nodes[0]?.comet as Comet, nodes[1]?.comet as Comet]
    for (const other of [one, two]) {
      const page1 = await page(one, { rids: ['den'] })
      const late = await page(other)
      await until(() => page1.closed)
      const position = String(page1.lastEventId)
      await assert.rejects(page(one, { position }), { code: 'STAY_AWAY' })
      await assert.rejects(page(two, { position }), { code: 'STAY_AWAY' })
      late.drop()
      const back = await page(two, { position })
      assert.equal(back.sid, page1.sid)
      assert.deepEqual(back.control('ready')?.rooms, ['den'])
      const lost = [{ uid: 'alice' }, { sid: back.sid }, { rid: 'den' }, { world: true }]
      assert.deepEqual(back.control('gap')?.targets, lost)
      back.drop()
    }
  })

  it('ends a connection that canEnter admits only after a later one', async () => {
    const gate = new Gate()
    const { comet, reported } = makeComet({
      canEnter: async ({ rid }) => {
        if (rid === 'slow') await gate.pass()
        return true
      },
    })
    const early = new MemoryTransport()
    const connecting = comet.connect({
      identity: 'alice',
      transport: early,
      clientId: 'page',
      rids: ['slow'],
    })
    await gate.arrival()
    const late = await page(comet)
    gate.open()
    await connecting
    assert.equal(early.control('close')?.code, 'TAKEN_OVER')
    assert.deepEqual([early.control('ready'), late.closed], [undefined, false])
    assert.deepEqual([reported, comet.stats().sessions, comet.stats().rooms], [['ONLINE alice'], 1, 0])
  })

  it('takes over no session of another user', async () => {
    const { comet } = makeComet()
    const alice = await page(comet, { rids: ['den'] })
    const mallory = await page(comet, { uid: 'mallory' })
    assert.notEqual(mallory.sid, alice.sid)
    assert.deepEqual(mallory.control('ready')?.rooms, [])
    assert.equal(alice.closed, false)
  })

  it('remembers the answer to a SEND over a reconnect, and gives no new packet allowance', async () => {
    // No time passes in which the session would be allowed another packet.
    const clock = FakeTimers.install({ toFake: ['performance'] })
    try {
      let calls = 0
      const onMessage = () => ++calls
      const { comet } = makeComet({ offlineGrace: 60_000, packetRate: 1, onMessage })
      const first = await page(comet)
      const { sid } = first
      const send = (id: string) =>
        comet.receive({ sid, identity: 'alice', packet: { type: 'SEND', send: { evt: 'hi', id } } })
      assert.equal(await send('1'), '1')
      first.drop()
      await page(comet)
      assert.equal(await send('1'), '1')
      await assert.rejects(send('2'), { code: 'TOO_MANY_PACKETS' })
      assert.equal(calls, 1)
    } finally {
      clock.uninstall()
    }
  })

  for (const where of ['one node', 'two nodes']) {
    for (const drops of [true, false]) {
      it(`without a position names what was published since the previous connection began (${where}, ${drops ? 'in grace' : 'half-open'})`, async () => {
        const broker = new MemoryBroker()
        const options = { broker, offlineGrace: 60_000 }
        const [one, two] = [makeComet(options).comet, makeComet(options).comet]
        const other = where === 'one node' ? one : two
        await one.publish({ rid: 'old', evt: 'before' })
        const first = await page(one, { rids: ['old', 'den', 'attic'] })
        await one.publish({ rid: 'den', evt: 'written, but perhaps not received' })
        if (drops) first.drop()
        await one.publish({ uid: 'alice', evt: 'missed' })
        const second = await page(other, { rids: ['old', 'den', 'attic'] })
        assert.equal(second.control('ready')?.recovered, false)
        assert.deepEqual(second.control('gap')?.targets, [{ uid: 'alice' }, { rid: 'den' }])
        const third = await page(one, { rids: ['old', 'den', 'attic'] })
        assert.deepEqual([third.control('ready')?.recovered, third.control('gap')], [false, undefined])
        await one.publish({ rid: 'attic', evt: 'live' })
        await until(() => third.published.length > 0)
        assert.deepEqual(third.published, ['live'])
      })
    }
  }

  it('without a position names what the history has evicted meanwhile', async () => {
    const { comet } = makeComet({ historyEvents: 1 })
    await page(comet)
    for (const evt of ['1', '2']) await comet.publish({ evt })
    assert.deepEqual((await page(comet)).control('gap')?.targets, [{ world: true }])
  })

  it('with a position resumes as ever, also when the previous connection itself had resumed', async () => {
    const { comet } = makeComet({ offlineGrace: 60_000 })
    const first = await page(comet)
    const position = String(first.lastEventId)
    first.drop()
    await comet.publish({ uid: 'alice', evt: '1' })
    const second = await page(comet, { position })
    assert.deepEqual([second.published, second.control('ready')?.recovered], [['1'], true])
    // It never said that it got the event.
    const third = await page(comet)
    assert.deepEqual(third.control('gap')?.targets, [{ uid: 'alice' }])
  })

  it('works over nodes, and packets find the session on its node', async () => {
    const broker = new MemoryBroker()
    const nodes = [makeComet({ broker, offlineGrace: 60_000 }), makeComet({ broker, offlineGrace: 60_000 })]
    const [one, two] = [nodes[0]?.comet as Comet, nodes[1]?.comet as Comet]
    const first = await page(one)
    await join(two, first.sid, 'den')
    const second = await page(two)
    await until(() => first.closed)
    assert.equal(second.sid, first.sid)
    assert.deepEqual([one.stats().sessions, two.stats().sessions], [0, 1])
    await join(one, second.sid, 'attic')
    assert.deepEqual(two.dump().sessions[0]?.rooms, ['den', 'attic'])
    second.drop()
    const third = await page(one)
    assert.deepEqual(third.control('ready')?.rooms, ['den', 'attic'])
    assert.equal(await two.count('den'), 1)
  })
})
