import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import type { Comet, CometOptions } from '../../../lib/index.ts'
import { closeComets, connect, makeComet } from '../../support/comets.ts'
import { until } from '../../support/inbox.ts'
import { PacedTransport } from '../../support/paced-transport.ts'

const SIZE = 70_000
const past = (name: string) => name.padEnd(SIZE, '.')

/** A slow client of alice reconnects. It missed three events of its room that are too large to be sent at once. */
async function reconnect(options: CometOptions = {}) {
  const { comet } = makeComet(options)
  const first = await connect(comet, 'alice', 'den')
  const position = String(first.lastEventId)
  first.drop()
  for (const name of ['a', 'b', 'c']) await comet.publish({ rid: 'den', evt: past(name) })
  const client = new PacedTransport()
  await comet.connect({ identity: 'alice', transport: client, rids: ['den'], position })
  const packet = async (type: string, fields: object) =>
    await comet.receive({
      sid: client.sid,
      identity: 'alice',
      packet: { type, [type.toLowerCase()]: fields },
    })
  return { comet, client, position, packet }
}

async function read(client: PacedTransport): Promise<string[]> {
  await client.readAll()
  return client.published.map((evt) => evt.replace(/\.+$/, ''))
}

/** Checks that the client's position never went back, from where it would get events twice. */
function assertPositionsAscend({ events }: PacedTransport): void {
  const places = events.flatMap(({ id }) => (id === undefined ? [] : [Number(id.split('.')[1])]))
  assert.deepEqual(
    places,
    places.toSorted((a, b) => a - b),
  )
}

describe('A replay', () => {
  afterEach(closeComets)

  it('continues with everything that is published meanwhile, in order, transient or not', async () => {
    const { comet, client } = await reconnect()
    await comet.publish({ rid: 'den', evt: '1' }, { transient: true })
    await comet.publish({ evt: '2' })
    await comet.publish({ uid: 'alice', evt: '3' }, { transient: true })
    await comet.publish({ rid: 'den', evt: '4' })
    assert.deepEqual(await read(client), ['a', 'b', 'c', '1', '2', '3', '4'])
    await comet.publish({ evt: '5' })
    assert.equal((await read(client)).at(-1), '5')
  })

  it('skips nothing when the client enters a room that it is in', async () => {
    const { comet, client, packet } = await reconnect()
    await comet.publish({ rid: 'den', evt: '1' })
    await comet.enter({ uid: 'alice' }, 'den')
    await comet.publish({ rid: 'den', evt: '2' })
    await packet('JOIN', { rid: 'den' })
    assert.deepEqual(await read(client), ['a', 'b', 'c', '1', '2'])
  })

  it('includes the events of a room up to the moment at which the client left it', async () => {
    const { comet, client, packet } = await reconnect()
    await comet.publish({ rid: 'den', evt: '1' })
    await packet('LEAVE', { rid: 'den' })
    await comet.publish({ rid: 'den', evt: 'not for alice' })
    await packet('JOIN', { rid: 'den' })
    await comet.publish({ rid: 'den', evt: '2' })
    assert.deepEqual(await read(client), ['a', 'b', 'c', '1', '2'])
  })

  it('includes the history of a room that the client joins, before new events of the room', async () => {
    const { comet, client, packet } = await reconnect({ maxBufferedBytes: 1_000 })
    for (const name of ['x', 'y']) await comet.publish({ rid: 'attic', evt: past(name) })
    await packet('JOIN', { rid: 'attic', recent: 2 })
    await comet.publish({ rid: 'attic', evt: 'z' })
    assert.deepEqual(await read(client), ['a', 'b', 'c', 'x', 'y', 'z'])
    assert.equal(client.closed, false)
  })

  it('reports a gap at the place of events that were evicted before their turn', async () => {
    const { comet, client } = await reconnect({ historyEvents: 2 })
    // The first event was evicted before the client reconnected, the second was sent at once, and the third waits.
    assert.equal(client.control('ready')?.recovered, false)
    await comet.publish({ uid: 'alice', evt: '1' })
    for (const evt of ['2', '3', '4']) await comet.publish({ rid: 'den', evt })
    const seen = await read(client)
    assert.deepEqual(seen, ['b', '1', '3', '4'])
    const order = client.events.map(({ event, data }) => event ?? data.replace(/\.+$/, ''))
    assert.deepEqual(order, ['comet.ready', 'comet.gap', 'b', 'comet.gap', '1', '3', '4'])
    assert.deepEqual(client.control('gap'), { targets: [{ rid: 'den' }] })
  })

  it('ends with the session when too much is kept for it alone, after the event was delivered to all', async () => {
    const { comet, client } = await reconnect({ maxBufferedBytes: 1_000 })
    const other = await connect(comet, 'bob')
    comet.on('offline', () => void comet.publish({ evt: 'she is gone' }))
    for (let index = 0; index < 12; index += 1) {
      comet.publish({ evt: String(index).padEnd(100, '.') }, { transient: true })
    }
    await until(() => other.published.includes('she is gone'))
    assert.equal(client.control('close')?.code, 'SLOW')
    const told = other.published.map((evt) => evt.replace(/\.+$/, ''))
    assert.deepEqual(
      told.filter((evt) => evt !== 'she is gone'),
      Array.from({ length: 12 }, (_, index) => String(index)),
    )
  })

  it('ends with the session when more than 8,192 events are published meanwhile, however small they are', async () => {
    const { comet, client } = await reconnect({ historyEvents: 10 })
    for (let index = 0; index < 8_192; index += 1) void comet.publish({ uid: 'alice', evt: '.' })
    await new Promise(setImmediate)
    assert.equal(client.closed, false)
    for (let index = 0; index < 10; index += 1) void comet.publish({ uid: 'alice', evt: '.' })
    await until(() => client.closed)
    assert.equal(client.control('close')?.code, 'SLOW')
  })

  it('is not set back by the id of a transient event', async () => {
    const { comet, client } = await reconnect()
    await comet.publish({ uid: 'alice', evt: 'typing' }, { transient: true })
    await comet.publish({ uid: 'alice', evt: '4' })
    assert.deepEqual(await read(client), ['a', 'b', 'c', 'typing', '4'])
    assertPositionsAscend(client)
  })

  it('is not set back by the id of a heartbeat', async () => {
    const clock = FakeTimers.install({ toFake: ['setInterval', 'clearInterval'] })
    try {
      const { comet, client } = await reconnect({ heartbeatInterval: 1_000 })
      clock.tick(3_000)
      const before = client.published.length
      client.read()
      // The client need not read the whole replay before it can answer.
      assert.notEqual(client.control('heartbeat'), undefined)
      assert.equal(client.published.length, before)
      await comet.publish({ uid: 'alice', evt: '4' })
      assert.deepEqual(await read(client), ['a', 'b', 'c', '4'])
      assertPositionsAscend(client)
    } finally {
      clock.uninstall()
    }
  })
})

describe('JOIN with recent', () => {
  afterEach(closeComets)

  it('sends the history at the pace of the reader, beyond maxBufferedBytes', async () => {
    const { comet } = makeComet({ maxBufferedBytes: 1_000 })
    for (const name of ['a', 'b', 'c', 'd']) await comet.publish({ rid: 'den', evt: past(name) })
    const client = new PacedTransport()
    await comet.connect({ identity: 'alice', transport: client })
    await read(client)
    const join = { type: 'JOIN', join: { rid: 'den', recent: 4 } }
    await comet.receive({ sid: client.sid, identity: 'alice', packet: join })
    await comet.publish({ rid: 'den', evt: 'e' })
    assert.deepEqual(await read(client), ['a', 'b', 'c', 'd', 'e'])
    assert.equal(client.closed, false)
  })
})

describe('comet.gap', () => {
  afterEach(closeComets)

  async function overflow(comet: Comet) {
    const first = await connect(comet, 'alice', 'den')
    first.drop()
    for (const evt of ['1', '2', '3']) await comet.publish({ rid: 'den', evt })
    return String(first.lastEventId)
  }

  async function returning(comet: Comet, position: string) {
    const client = new PacedTransport()
    await comet.connect({ identity: 'alice', transport: client, rids: ['den'], position })
    return client
  }

  it('is sent again to a client that was cut before it', async () => {
    const { comet } = makeComet({ historyEvents: 2 })
    const position = await overflow(comet)
    const client = await returning(comet, position)
    const [ready, gap] = client.events
    assert.deepEqual([ready?.event, gap?.event], ['comet.ready', 'comet.gap'])
    // The client keeps the position that it brought, and brings it again.
    assert.equal(ready?.id, undefined)
    assert.equal((await returning(comet, position)).control('ready')?.recovered, false)
  })

  it('is not sent again to a client that has seen it, even if no event followed', async () => {
    const clock = FakeTimers.install({ toFake: ['performance'] })
    try {
      const { comet } = makeComet({ historyEvents: 2, historyAge: 1_000 })
      const position = await overflow(comet)
      clock.tick(1_000)
      const client = await returning(comet, position)
      assert.deepEqual(client.published, [])
      assert.equal((await returning(comet, String(client.lastEventId))).control('ready')?.recovered, true)
    } finally {
      clock.uninstall()
    }
  })

  for (const options of [{ historyEvents: 0 }, { historyBytes: 0 }, { historyBytes: 500 }]) {
    it(`is not sent to a newcomer, which gets what is published while it connects: ${JSON.stringify(options)}`, async () => {
      const { comet } = makeComet(options)
      comet.on('online', ({ uid }) => void comet.publish({ uid, evt: 'Welcome!' }))
      const client = await connect(comet, 'alice')
      assert.deepEqual([client.published, client.control('gap')], [['Welcome!'], undefined])
    })
  }
})
