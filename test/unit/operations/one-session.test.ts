import assert from 'node:assert/strict'
import {
  type Comet,
  type CometOptions,
  MemoryBroker,
  type SessionEnd,
  type SessionStart,
} from '../../../lib/index.ts'
import { closeComets, connect, makeComet } from '../../support/comets.ts'
import { until } from '../../support/inbox.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'
import { PacedTransport } from '../../support/paced-transport.ts'

interface Page {
  readonly clientId?: string
  readonly position?: string
  readonly rids?: readonly string[]
  readonly recent?: number
}

async function open(comet: Comet, page: Page = {}, transport = new MemoryTransport()) {
  await comet.connect({ identity: 'alice', transport, ...page })
  return transport
}

function makeNodes(options: CometOptions = {}): [Comet, Comet] {
  const broker = new MemoryBroker()
  const both = { broker, offlineGrace: 60_000, ...options }
  return [makeComet(both).comet, makeComet(both).comet]
}

/** Collects the hooks of sessions, without what differs in each run. */
function logOf(comet: Comet): string[] {
  const log: string[] = []
  comet.on('connect', ({ session: { uid, rooms }, recovered, previous }: SessionStart) => {
    const after = previous === undefined ? '' : ` after ${previous.connected ? 'a live' : 'an ended'} one`
    log.push(`connect ${uid} [${rooms}] ${recovered}${after}`)
  })
  comet.on('disconnect', ({ session: { uid, rooms }, code }: SessionEnd) => {
    log.push(`disconnect ${uid} [${rooms}] ${code}`)
  })
  return log
}

describe('Comet.publish to a session', () => {
  afterEach(closeComets)

  it('reaches that session only, from any node', async () => {
    const [one, two] = makeNodes()
    const [tab, other] = [await open(one), await open(one)]
    await one.publish({ sid: tab.sid, event: 'x', data: 1 })
    await two.publish({ sid: tab.sid, evt: 'y' })
    await until(() => tab.published.length > 0)
    assert.deepEqual([tab.named, tab.published], [[['x', 1]], ['y']])
    assert.deepEqual(other.events.length, 1)
  })

  it('settles and reaches nobody when there is no such session', async () => {
    const { comet } = makeComet()
    const tab = await open(comet)
    for (const sid of ['gone', `${tab.sid}x`]) await comet.publish({ sid, evt: 'x' })
    tab.drop()
    await comet.publish({ sid: tab.sid, evt: 'late' })
    const back = await open(comet, { position: String(tab.lastEventId) })
    assert.deepEqual(back.published, [])
    assert.equal(back.control('ready')?.recovered, true)
  })

  for (const where of ['the same node', 'another node']) {
    it(`is replayed to a takeover on ${where}, in order with all else, and no other session gets it`, async () => {
      const [one, two] = makeNodes()
      const next = where === 'the same node' ? one : two
      const tab = await open(one, { clientId: 'tab', rids: ['den'] })
      const position = String(tab.lastEventId)
      await one.publish({ sid: tab.sid, evt: 'seen' })
      await until(() => tab.published.length === 1)
      tab.drop()
      await one.publish({ rid: 'den', evt: '1' })
      await two.publish({ sid: tab.sid, evt: '2' })
      await one.publish({ evt: '3' })
      const back = await open(next, { clientId: 'tab', position: String(tab.lastEventId) })
      assert.deepEqual([back.sid, back.published], [tab.sid, ['1', '2', '3']])
      assert.equal(back.control('ready')?.recovered, true)
      const stranger = await open(next, { position })
      assert.deepEqual(stranger.published, ['3'])
      assert.deepEqual(
        one.history({ sid: tab.sid }).map(({ evt }) => evt),
        ['seen', '2'],
      )
    })
  }

  it('is a gap of the session when a takeover lost it, or brings no position', async () => {
    const [one] = makeNodes({ historyEvents: 2 })
    const tab = await open(one, { clientId: 'tab' })
    const { sid } = tab
    tab.drop()
    for (const evt of ['1', '2', '3']) await one.publish({ sid, evt })
    const back = await open(one, { clientId: 'tab', position: String(tab.lastEventId) })
    assert.deepEqual(back.control('gap')?.targets, [{ sid }])
    assert.deepEqual(back.published, ['2', '3'])
    await one.publish({ sid, evt: '4' })
    back.drop()
    const again = await open(one, { clientId: 'tab' })
    assert.deepEqual(again.control('gap')?.targets, [{ sid }])
    assert.equal(again.control('ready')?.recovered, false)
  })

  it('is forgotten when the session has ended for good, and makes nobody incomplete', async () => {
    const [one] = makeNodes()
    const [plain, tab] = [await open(one), await open(one, { clientId: 'tab' })]
    for (const { sid } of [plain, tab]) await one.publish({ sid, evt: 'x' })
    assert.equal(one.stats().history.events, 2)
    plain.drop()
    await new Promise(setImmediate)
    assert.equal(one.stats().history.events, 1)
    tab.drop()
    await new Promise(setImmediate)
    assert.equal(one.stats().history.events, 1)
    await open(one, { clientId: 'tab' })
    await one.disconnect({ sid: tab.sid })
    await new Promise(setImmediate)
    assert.deepEqual(one.stats().history, { events: 0, targets: 0, bytes: 0 })
    const back = await open(one, { position: String(plain.lastEventId) })
    assert.equal(back.control('ready')?.recovered, true)
  })
})

describe("Hooks 'connect' and 'disconnect'", () => {
  afterEach(closeComets)

  it('tell every listener of the start of a stream before its end, though the first listener ends it', async () => {
    const { comet } = makeComet()
    const calls: string[] = []
    comet.on('connect', ({ session: { sid } }) => void comet.disconnect({ sid }))
    comet.on('connect', () => calls.push('connect'))
    comet.on('disconnect', ({ code }) => calls.push(code))
    await connect(comet, 'alice')
    assert.deepEqual(calls, ['connect', 'DISCONNECTED'])
  })

  it('are called for each session of the node once, anonymous ones included', async () => {
    const [one, two] = makeNodes({ offlineGrace: 0 })
    const [log, other] = [logOf(one), logOf(two)]
    const alice = await connect(one, 'alice', 'den')
    await one.enter({ uid: 'alice' }, 'hall')
    const bob = await connect(two, { anonymous: true })
    alice.drop()
    bob.drop()
    assert.deepEqual(log, ['connect alice [den] false', 'disconnect alice [den,hall] GONE'])
    assert.equal(other.length, 2)
    assert.match(String(other[0]), /^connect anonymous\./)
  })

  it('come before OFFLINE, and after the activity of the newcomer', async () => {
    const { comet, reported } = makeComet()
    comet.on('connect', () => reported.push('connect'))
    comet.on('disconnect', () => reported.push('disconnect'))
    const alice = await connect(comet, 'alice', 'den')
    alice.drop()
    const activity = ['ONLINE alice', 'ENTER_ROOM alice den', 'connect']
    assert.deepEqual(reported, [...activity, 'disconnect', 'LEAVE_ROOM alice den', 'OFFLINE alice'])
  })

  it('tell of a takeover: the former one ends on its node, and the next one begins on its own', async () => {
    const [one, two] = makeNodes()
    const [log, other] = [logOf(one), logOf(two)]
    const tab = await open(one, { clientId: 'tab', rids: ['den'] })
    const moved = await open(two, { clientId: 'tab', position: String(tab.lastEventId) })
    await until(() => tab.closed)
    moved.drop()
    await open(one, { clientId: 'tab', position: 'nonsense' })
    assert.deepEqual(log, [
      'connect alice [den] false',
      'disconnect alice [den] TAKEN_OVER',
      'connect alice [den] false after an ended one',
    ])
    assert.deepEqual(other, ['connect alice [den] true after a live one', 'disconnect alice [den] GONE'])
  })

  it('tell the info of the identity, and enter an anonymous client into the rooms of identify', async () => {
    const { comet } = makeComet()
    const seen: unknown[] = []
    comet.on('connect', ({ session, info }) => seen.push([session.rooms, info]))
    const page = await connect(comet, { anonymous: true, rooms: ['jobs'], info: { page: '/jobs' } })
    await connect(comet, 'alice')
    await comet.publish({ rid: 'jobs', event: 'job', data: 1 })
    await until(() => page.named.length === 1)
    assert.deepEqual(seen, [
      [['jobs'], { page: '/jobs' }],
      [[], undefined],
    ])
    assert.deepEqual(await comet.members('jobs'), [])
  })

  it('give the time between them', async () => {
    const { comet } = makeComet()
    const durations: number[] = []
    comet.on('disconnect', ({ duration }) => durations.push(duration))
    const alice = await connect(comet, 'alice')
    const before = performance.now()
    while (performance.now() < before + 20) await new Promise(setImmediate)
    alice.drop()
    assert.ok(Number(durations[0]) >= 19 && Number(durations[0]) < 10_000, `${durations}`)
  })

  it('are not called for a client that is refused, or gone before its stream begins', async () => {
    const { comet } = makeComet({ canEnter: ({ rid }) => rid !== 'secret' })
    const log = logOf(comet)
    await assert.rejects(connect(comet, 'alice', 'secret'), { code: 'ROOM_REFUSED' })
    const gone = new MemoryTransport()
    gone.drop()
    await comet.connect({ identity: 'alice', transport: gone })
    class Vanishing extends MemoryTransport {
      override open(first: Parameters<MemoryTransport['open']>[0]): boolean {
        super.open(first)
        this.drop()
        return false
      }
    }
    await comet.connect({ identity: 'alice', transport: new Vanishing() })
    await new Promise(setImmediate)
    assert.deepEqual(log, [])
    assert.equal(comet.stats().sessions, 0)
  })

  it('may publish to the session: it comes right after what the client missed', async () => {
    const { comet } = makeComet({ offlineGrace: 60_000 })
    const first = await open(comet, { clientId: 'tab', rids: ['den'] })
    first.drop()
    for (let index = 0; index < 50; index += 1) {
      await comet.publish({ rid: 'den', event: 'line', data: 'x'.repeat(5_000) })
    }
    comet.on('connect', ({ session }) => {
      void comet.publish({ sid: session.sid, event: 'snapshot', data: session.rooms })
    })
    const back = new PacedTransport()
    await open(comet, { clientId: 'tab', position: String(first.lastEventId) }, back)
    await comet.publish({ rid: 'den', event: 'line', data: 'last' })
    await back.readAll()
    const names = back.named.map(([event]) => event)
    assert.deepEqual([names.length, names.indexOf('snapshot'), names.at(-1)], [52, 50, 'line'])
    assert.deepEqual(back.named[50], ['snapshot', ['den']])
  })

  it('may end, move or throw, and nothing else is harmed', async () => {
    const { comet } = makeComet({ offlineGrace: 60_000 })
    const errors: Error[] = []
    comet.on('error', (error) => errors.push(error))
    comet.once('connect', () => {
      throw new Error('connect failed')
    })
    const alice = await open(comet)
    comet.once('connect', ({ session: { sid } }) => void comet.disconnect({ sid }))
    const bob = await open(comet)
    await until(() => bob.closed)
    assert.equal(alice.closed, false)
    // A hook that hears of the end of the former connection ends the one that takes over, which is amid its admission.
    comet.once('disconnect', () => void comet.disconnect({ uid: 'alice' }))
    await open(comet, { clientId: 'tab' })
    const next = await open(comet, { clientId: 'tab' })
    await until(() => next.closed && alice.closed)
    comet.once('disconnect', () => Promise.reject(new Error('disconnect failed')))
    ;(await open(comet)).drop()
    await new Promise(setImmediate)
    assert.deepEqual(
      errors.map(({ message }) => message),
      ['connect failed', 'disconnect failed'],
    )
    const { sessions, rooms } = comet.dump()
    assert.deepEqual([sessions, rooms], [[], []])
    assert.equal(await comet.isOnline('alice'), true, 'the last one is in grace')
  })

  it('pair up over every way that a session may end', async () => {
    const { comet } = makeComet({ maxSessionsPerUser: 1, offlineGrace: 60_000 })
    const open_ = new Set<string>()
    const codes = new Set<string>()
    comet.on('connect', ({ session: { connection } }) => open_.add(connection))
    comet.on('disconnect', ({ session: { connection }, code }) => {
      assert.ok(open_.delete(connection), 'an end without a start')
      codes.add(code)
    })
    await open(comet, { clientId: 'a' })
    await open(comet, { clientId: 'a' })
    await open(comet, { clientId: 'b' })
    const bye = await open(comet, { clientId: 'c' })
    await comet.receive({ sid: bye.sid, identity: 'alice', packet: { type: 'BYE' } })
    const slow = await open(comet)
    slow.stall()
    await open(comet)
    await comet.disconnect({ uid: 'alice' })
    await open(comet)
    await comet.close({ drain: 0 })
    assert.deepEqual(open_.size, 0)
    const all = ['TAKEN_OVER', 'EVICTED', 'BYE', 'SLOW', 'DISCONNECTED', 'SHUTDOWN']
    assert.deepEqual([...codes].sort(), all.sort())
  })
})

describe('Comet.session, sessionsOf and roomsOf', () => {
  afterEach(closeComets)

  it('describe the sessions of this node, and the rooms of a user on all nodes', async () => {
    const [one, two] = makeNodes()
    const [tab, phone] = [
      await open(one, { clientId: 'tab', rids: ['den'] }),
      await open(two, { rids: ['attic'] }),
    ]
    await one.enter({ uid: 'alice' }, 'hall')
    const connection = String(tab.control('ready')?.connection)
    const rooms = ['den', 'hall']
    const info = { sid: tab.sid, connection, uid: 'alice', anonymous: false, rooms, clientId: 'tab' }
    assert.deepEqual(one.session(tab.sid), info)
    assert.deepEqual(one.sessionsOf('alice'), [info])
    assert.deepEqual([one.session(phone.sid), two.sessionsOf('bob')], [undefined, []])
    assert.deepEqual((await two.roomsOf('alice')).sort(), ['attic', 'den', 'hall'])
    tab.drop()
    assert.deepEqual([one.session(tab.sid), one.sessionsOf('alice')], [undefined, []])
    assert.throws(() => one.session(7 as never), { code: 'INVALID_ID' })
    assert.throws(() => one.sessionsOf(''), { code: 'INVALID_ID' })
    await assert.rejects(one.roomsOf(null as never), { code: 'INVALID_ID' })
  })

  it("find a session from its 'connect' on, and not while it is being let in", async () => {
    const { comet } = makeComet()
    const found: unknown[] = []
    comet.on('enter', ({ uid }) => found.push(comet.sessionsOf(uid).length))
    comet.on('connect', ({ session }) => found.push(comet.session(session.sid)?.sid === session.sid))
    comet.on('disconnect', ({ session }) => found.push(comet.session(session.sid)))
    const alice = await connect(comet, 'alice', 'den')
    alice.drop()
    assert.deepEqual(found, [0, true, undefined])
  })
})

describe('Comet.members in pages', () => {
  afterEach(closeComets)

  it('has each user once, with its info', async () => {
    const { comet } = makeComet()
    for (const uid of ['c', 'a', 'b']) await connect(comet, { uid, info: { name: uid }, rooms: ['den'] })
    const uids = async (page?: object) => (await comet.members('den', page)).map(({ uid }) => uid)
    assert.deepEqual(await uids(), ['c', 'a', 'b'])
    assert.deepEqual(await uids({ limit: 2 }), ['a', 'b'])
    assert.deepEqual(await uids({ limit: 2, after: 'b' }), ['c'])
    assert.deepEqual(await uids({ after: 'a' }), ['b', 'c'])
    assert.deepEqual(await uids({ after: undefined }), ['c', 'a', 'b'])
    assert.deepEqual((await comet.members('den', { limit: 1 }))[0]?.info, { name: 'a' })
    for (const page of [{ limit: 0 }, { limit: -1 }, { limit: 1.5 }, { limit: '2' }, { size: 2 }, null]) {
      await assert.rejects(uids(page as object), { code: 'INVALID_OPTION' })
    }
    await assert.rejects(uids({ after: '' }), { code: 'INVALID_ID' })
  })
})
