import assert from 'node:assert/strict'
import { type Comet, type EnterRequest, type Identity, MemoryBroker } from '../../../lib/index.ts'
import { closeComets, makeComet } from '../../support/comets.ts'
import { Gate, until } from '../../support/inbox.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'

/** A page of alice that comes back: every visit is a takeover of the one before. */
async function visit(
  comet: Comet,
  { rids = [], position, ...identity }: { rids?: string[]; position?: string } & Partial<Identity> = {},
): Promise<MemoryTransport> {
  const transport = new MemoryTransport()
  const request = { transport, clientId: 'page', rids, ...(position === undefined ? {} : { position }) }
  await comet.connect({ identity: { uid: 'alice', ...identity }, ...request })
  return transport
}

/** Publishes to each room. @returns the rooms whose event the page got */
async function heardRooms(comet: Comet, page: MemoryTransport, rids: string[]): Promise<string[]> {
  const from = page.published.length
  for (const rid of rids) await comet.publish({ rid, evt: rid })
  await comet.publish({ uid: 'alice', evt: 'end' })
  await until(() => page.published.at(-1) === 'end')
  return page.published.slice(from, -1)
}

const roomsOf = (page: MemoryTransport) => {
  const { rooms, refused } = page.control('ready') ?? {}
  return { rooms, refused }
}

const ROOMS = ['a', 'b', 'staff', 'vip']

describe('Takeover by clientId: the grants of the session', () => {
  /** The rooms that `canEnter` refuses. */
  let closed: Set<string>
  let asked: string[]

  const options = {
    offlineGrace: 60_000,
    canEnter: ({ rid }: EnterRequest) => {
      asked.push(rid)
      return !closed.has(rid)
    },
  }

  beforeEach(() => {
    closed = new Set()
    asked = []
  })
  afterEach(closeComets)

  for (const nodes of [1, 2]) {
    for (const drops of [true, false]) {
      const where = `${nodes === 1 ? 'one node' : 'two nodes'}, ${drops ? 'in grace' : 'half-open'}`

      it(`end where identify names the room no more and canEnter refuses it (${where})`, async () => {
        const broker = new MemoryBroker()
        const made = Array.from({ length: nodes }, () => makeComet({ broker, ...options }))
        const [one, two] = [made[0]?.comet as Comet, made.at(-1)?.comet as Comet]
        const first = await visit(one, { rids: ['a', 'b'], rooms: ['staff'] })
        assert.deepEqual(roomsOf(first), { rooms: ['staff', 'a', 'b'], refused: [] })
        if (drops) first.drop()
        closed.add('b')
        for (const comet of [two, one, two]) {
          const page = await visit(comet, { rids: ['a', 'b'] })
          assert.deepEqual(roomsOf(page).rooms, ['a'])
          assert.deepEqual(await heardRooms(comet, page, ROOMS), ['a'])
          assert.deepEqual([await one.count('a'), await one.count('b'), await one.count('staff')], [1, 0, 0])
          if (drops) page.drop()
        }
        const told = made.flatMap(({ reported }) => reported).filter((each) => each.startsWith('LEAVE'))
        assert.deepEqual(told.sort(), ['LEAVE_ROOM alice b', 'LEAVE_ROOM alice staff'])
      })
    }
  }

  it('name what was refused and what is gone as refused, once', async () => {
    const { comet } = makeComet(options)
    await visit(comet, { rids: ['a', 'b'], rooms: ['staff'] })
    closed.add('b')
    const page = await visit(comet, { rids: ['a', 'b'] })
    assert.deepEqual(roomsOf(page), { rooms: ['a'], refused: ['b', 'staff'] })
    assert.deepEqual(roomsOf(await visit(comet, { rids: ['a', 'b'] })), { rooms: ['a'], refused: ['b'] })
  })

  it('are asked for again where the client had joined, with the identity of the new request', async () => {
    const infos: unknown[] = []
    const { comet } = makeComet({
      offlineGrace: 60_000,
      canEnter: ({ rid, info }) => {
        if (rid === 'b') infos.push(info)
        return rid !== 'b' || info === 'admin'
      },
    })
    const first = await visit(comet, { info: 'admin' })
    for (const rid of ['a', 'b']) {
      const packet = { type: 'JOIN', join: { rid } }
      await comet.receive({ sid: first.sid, identity: { uid: 'alice', info: 'admin' }, packet })
    }
    assert.deepEqual(roomsOf(await visit(comet, { info: 'admin' })), { rooms: ['a', 'b'], refused: [] })
    assert.deepEqual(roomsOf(await visit(comet, { info: 'guest' })), { rooms: ['a'], refused: ['b'] })
    assert.deepEqual(infos, ['admin', 'admin', 'guest'])
  })

  it('stay where the app itself let the session or its user in, also where canEnter says no', async () => {
    const { comet } = makeComet(options)
    const first = await visit(comet, { rids: ['b'], rooms: ['staff'] })
    for (const rid of ['a', 'b', 'staff']) await comet.enter({ sid: first.sid }, rid)
    await comet.enter({ uid: 'alice' }, 'vip')
    for (const rid of ROOMS) closed.add(rid)
    asked = []
    const page = await visit(comet)
    assert.deepEqual(new Set(roomsOf(page).rooms as string[]), new Set(ROOMS))
    assert.deepEqual([roomsOf(page).refused, asked], [[], []])
    const again = await visit(comet, { rids: ['b'] }).catch((error) => error.code)
    assert.equal(again, 'ROOM_REFUSED')
  })

  it('follow a new identity: its rooms are entered without asking', async () => {
    const { comet } = makeComet(options)
    await visit(comet, { rooms: ['a', 'staff'] })
    const page = await visit(comet, { rooms: ['a', 'vip'] })
    assert.deepEqual(roomsOf(page), { rooms: ['a', 'vip'], refused: ['staff'] })
    assert.deepEqual(asked, [])
  })

  it('route nothing until canEnter has answered, and lose nothing meanwhile', async () => {
    const gate = new Gate()
    let isSlow = false
    const { comet } = makeComet({
      offlineGrace: 60_000,
      canEnter: async ({ rid }) => {
        if (isSlow) await gate.pass()
        return rid !== 'b'
      },
    })
    const first = await visit(comet, { rids: [] })
    isSlow = false
    await comet.receive({
      sid: first.sid,
      identity: 'alice',
      packet: { type: 'JOIN', join: { rid: 'a' } },
    })
    await comet.publish({ rid: 'a', evt: '1' })
    await until(() => first.published.length === 1)
    const position = String(first.lastEventId)
    first.drop()
    await comet.publish({ rid: 'a', evt: '2' })
    isSlow = true
    const second = new MemoryTransport()
    const connecting = comet.connect({ identity: 'alice', transport: second, clientId: 'page', position })
    await gate.arrival()
    assert.deepEqual(comet.dump().rooms, [])
    await comet.publish({ rid: 'a', evt: '3' })
    gate.open()
    await connecting
    await comet.publish({ rid: 'a', evt: '4' })
    await until(() => second.published.length === 3)
    assert.deepEqual(second.published, ['2', '3', '4'])
    assert.equal(second.control('ready')?.recovered, true)
  })

  it('are kept for the grace when canEnter fails, and the client gets a temporary answer', async () => {
    let fails = false
    const { comet, reported } = makeComet({
      offlineGrace: 60_000,
      canEnter: () => {
        if (fails) throw new Error('no database')
        return true
      },
    })
    const errors: Error[] = []
    comet.on('error', (error) => errors.push(error))
    const first = await visit(comet)
    await comet.receive({ sid: first.sid, identity: 'alice', packet: { type: 'JOIN', join: { rid: 'a' } } })
    fails = true
    await assert.rejects(visit(comet), { code: 'UNAVAILABLE' })
    assert.deepEqual([errors.map(({ message }) => message), comet.stats().sessions], [['no database'], 0])
    fails = false
    assert.deepEqual(roomsOf(await visit(comet)), { rooms: ['a'], refused: [] })
    assert.deepEqual(reported.slice(1), ['HEARD alice', 'ENTER_ROOM alice a'])
  })
})

describe('Comet.connect: rooms that identify names', () => {
  afterEach(closeComets)

  it('may be asked for by URL, too, without canEnter', async () => {
    const comet = makeComet({ canEnter: undefined as never }).comet
    const transport = new MemoryTransport()
    await comet.connect({ identity: { uid: 'alice', rooms: ['team'] }, transport, rids: ['team'] })
    assert.deepEqual(roomsOf(transport), { rooms: ['team'], refused: [] })
    const other = new MemoryTransport()
    await comet.connect({
      identity: { uid: 'alice', rooms: ['team'] },
      transport: other,
      rids: ['team', 'x'],
    })
    assert.deepEqual(roomsOf(other), { rooms: ['team'], refused: ['x'] })
  })

  it('are not asked about again, and do not count twice towards maxRoomsPerSession', async () => {
    const asked: string[] = []
    const { comet } = makeComet({
      maxRoomsPerSession: 2,
      canEnter: ({ rid }) => asked.push(rid) > 0,
    })
    const transport = new MemoryTransport()
    const identity = { uid: 'alice', rooms: ['team', 'team'] }
    await comet.connect({ identity, transport, rids: ['team', 'x', 'y'] })
    assert.deepEqual(roomsOf(transport), { rooms: ['team', 'x'], refused: ['y'] })
    assert.deepEqual(asked, ['x'])
  })
})
