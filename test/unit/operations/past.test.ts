import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import type { Comet, CometOptions, Identified } from '../../../lib/index.ts'
import { closeComets, makeComet } from '../../support/comets.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'
import { PacedTransport } from '../../support/paced-transport.ts'

const RIDS = ['attic', 'den', 'hall']
/** The size of an event in the tests of the rate: a block of 1,000 bytes at most. */
const BYTES = 900

async function makeHistory(options: CometOptions, count: number): Promise<Comet> {
  const { comet } = makeComet(options)
  for (const rid of RIDS) {
    for (let index = 0; index < count; index += 1) {
      await comet.publish({ rid, evt: `${rid} ${index} `.padEnd(BYTES, '.') })
    }
  }
  return comet
}

function packets(comet: Comet, client: MemoryTransport, identity: Identified = 'alice') {
  const send = async (packet: object) => await comet.receive({ sid: client.sid, identity, packet })
  return {
    join: async (rid: string, fields: object = {}) => await send({ type: 'JOIN', join: { rid, ...fields } }),
    leave: async (rid: string) => await send({ type: 'LEAVE', leave: { rid } }),
  }
}

async function open(comet: Comet, fields: object = {}): Promise<MemoryTransport> {
  const transport = new MemoryTransport()
  await comet.connect({ identity: 'alice', transport, ...fields })
  return transport
}

/** Connects a client that reads only when told to. */
async function openPaced(comet: Comet, fields: object = {}): Promise<PacedTransport> {
  const transport = new PacedTransport()
  await comet.connect({ identity: 'alice', transport, ...fields })
  return transport
}

/** Reads all that was written. */
function readOn(client: PacedTransport): string[] {
  for (let before = -1; before !== client.writes; client.read()) before = client.writes
  return client.published.map((evt) => evt.replace(/[ .]+$/, ''))
}

const counts = (client: MemoryTransport) =>
  RIDS.map((rid) => client.published.filter((evt) => evt.startsWith(rid)).length)

describe('The past of a room that a client joins', () => {
  afterEach(closeComets)

  it('waits for its reader once, however often the client joins and leaves', async () => {
    const comet = await makeHistory({ packetRate: 1_000, historyRate: 1e9 }, 100)
    const client = await openPaced(comet)
    const { join, leave } = packets(comet, client)
    for (let round = 0; round < 200; round += 1) {
      for (const fields of [{ recent: 100 }, { since: 'nonsense' }, { since: String(client.lastEventId) }]) {
        await join('den', fields)
        await leave('den')
      }
    }
    await join('den', { recent: 2 })
    assert.deepEqual(readOn(client), ['den 98', 'den 99'])
    assert.equal(client.control('gap'), undefined)
  })

  it('is dropped when the client leaves the room, however it leaves, with what is left of it', async () => {
    const comet = await makeHistory({}, 200)
    const ways: ((client: PacedTransport) => Promise<unknown>)[] = [
      (client) => packets(comet, client).leave('den'),
      (client) => packets(comet, client).join(''),
      (client) => comet.leave({ sid: client.sid }, 'den'),
      () => comet.leave({ uid: 'alice' }, 'den'),
    ]
    for (const leave of ways) {
      const client = await openPaced(comet)
      const { join } = packets(comet, client)
      await join('den', { recent: 200 })
      client.read()
      const read = client.published.length
      assert.ok(read > 0 && read < 200)
      await comet.publish({ uid: 'alice', evt: 'hers' })
      await leave(client)
      assert.equal(readOn(client).at(-1), 'hers')
      assert.equal(client.published.length, read + 1)
      // The stream is live again.
      await comet.publish({ uid: 'alice', evt: 'live' })
      await new Promise(setImmediate)
      assert.equal(readOn(client).at(-1), 'live')
      client.drop()
    }
  })

  it('of other rooms stays, in the order of the joins, with what is published meanwhile', async () => {
    const comet = await makeHistory({}, 3)
    const client = await openPaced(comet)
    const { join, leave } = packets(comet, client)
    await join('attic', { recent: 2 })
    await comet.publish({ uid: 'alice', evt: 'one' })
    await join('den', { recent: 2 })
    await comet.publish({ rid: 'attic', evt: 'two' })
    await join('hall', { recent: 1 })
    await comet.publish({ uid: 'alice', evt: 'three' }, { transient: true })
    await leave('den')
    assert.deepEqual(readOn(client), ['attic 1', 'attic 2', 'one', 'two', 'hall 2', 'three'])
  })

  it('is dropped from what ?recent= brings, too, when the client leaves one of its rooms', async () => {
    const comet = await makeHistory({}, 100)
    const client = await openPaced(comet, { rids: RIDS, recent: 100 })
    await packets(comet, client).leave('hall')
    readOn(client)
    assert.deepEqual(counts(client), [100, 100, 0])
    assert.equal(client.events.at(-1)?.event, 'comet.heartbeat')
  })
})

describe('?recent=', () => {
  afterEach(closeComets)

  it('brings no event twice that is published while the client connects', async () => {
    const { comet } = makeComet()
    await comet.publish({ rid: 'den', evt: 'before' })
    comet.on('online', () => void comet.publish({ rid: 'den', evt: 'She comes!' }))
    const client = await open(comet, { rids: ['den'], recent: 10 })
    await comet.publish({ rid: 'den', evt: 'after' })
    await new Promise(setImmediate)
    assert.deepEqual(client.published, ['before', 'She comes!', 'after'])
    const again = await open(comet, { rids: ['den'], position: client.lastEventId })
    assert.deepEqual(again.published, [])
  })
})

describe('CometOptions.historyRate', () => {
  let clock: FakeTimers.Clock
  beforeEach(() => {
    clock = FakeTimers.install({ toFake: ['performance'] })
  })
  afterEach(async () => {
    clock.uninstall()
    await closeComets()
  })

  const refused = { code: 'TOO_MUCH_HISTORY', status: 429 }

  /** A history of 10 events, of at most 1,000 bytes each, in each room. A user may ask for 16 events at once. */
  const makeLimited = () => makeHistory({ historyRate: 1_000 }, 10)

  for (const fields of [{ recent: 10 }, { since: 'the start' }]) {
    it(`refuses a JOIN with ${Object.keys(fields)} beyond it, until the time has passed`, async () => {
      const { comet } = makeComet({ historyRate: 1_000 })
      const start = (await open(comet)).lastEventId
      for (const rid of RIDS) {
        for (let index = 0; index < 10; index += 1) await comet.publish({ rid, evt: `${rid} `.padEnd(BYTES) })
      }
      const client = await open(comet)
      const { join } = packets(comet, client)
      const asked = 'since' in fields ? { since: start } : fields
      await join('attic', asked)
      await assert.rejects(join('den', asked), refused)
      assert.deepEqual(comet.dump().sessions.at(-1)?.rooms, ['attic'])
      // The user has two sessions, and one allowance.
      const other = await open(comet)
      await assert.rejects(packets(comet, other).join('den', asked), refused)
      // What costs nothing is not refused, and nor is another user.
      await join('hall')
      const bob = await open(comet, { identity: 'bob' })
      await packets(comet, bob, 'bob').join('den', asked)
      clock.tick(10_000)
      await join('den', asked)
      assert.deepEqual(counts(client), [10, 10, 0])
      assert.deepEqual(counts(bob), [0, 10, 0])
    })
  }

  it('leaves rooms out of ?recent= beyond it, and names them in comet.gap', async () => {
    const comet = await makeLimited()
    const client = await open(comet, { rids: RIDS, recent: 10 })
    assert.deepEqual(counts(client), [10, 0, 0])
    assert.deepEqual(client.control('gap'), { targets: [{ rid: 'den' }, { rid: 'hall' }] })
    assert.deepEqual(client.control('ready')?.rooms, RIDS)
    await comet.publish({ rid: 'den', evt: 'den live' })
    await new Promise(setImmediate)
    assert.deepEqual(counts(client), [10, 1, 0])
    const second = await open(comet, { rids: RIDS, recent: 10 })
    assert.deepEqual(counts(second), [0, 0, 0])
    assert.deepEqual(second.control('gap'), { targets: RIDS.map((rid) => ({ rid })) })
    // It was told of the gap, and has missed nothing since.
    const again = await open(comet, { rids: RIDS, recent: 10, position: second.lastEventId })
    assert.equal(again.control('ready')?.recovered, true)
  })

  it('never limits what a client missed', async () => {
    const { comet } = makeComet({ historyRate: 1 })
    const position = (await open(comet, { rids: RIDS })).lastEventId
    for (const rid of RIDS) {
      for (let index = 0; index < 10; index += 1) await comet.publish({ rid, evt: `${rid} `.padEnd(BYTES) })
    }
    for (let times = 0; times < 3; times += 1) {
      const client = await open(comet, { rids: RIDS, position })
      assert.deepEqual(counts(client), [10, 10, 10])
      assert.equal(client.control('ready')?.recovered, true)
    }
  })

  it('does not limit anonymous clients, which have no user to count for', async () => {
    const comet = await makeLimited()
    const identity = { anonymous: true } as const
    const client = await open(comet, { identity, rids: ['attic', 'den'], recent: 10 })
    await packets(comet, client, identity).join('hall', { recent: 10 })
    assert.deepEqual(counts(client), [10, 10, 10])
  })
})
