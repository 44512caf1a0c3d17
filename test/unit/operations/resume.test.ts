import assert from 'node:assert/strict'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import fc from 'fast-check'
import { type Comet, MemoryBroker } from '../../../lib/index.ts'
import { closeComets, connect, makeComet } from '../../support/comets.ts'
import { gatedPresence } from '../../support/gated-presence.ts'
import { Gate, until } from '../../support/inbox.ts'
import { lastIdOf, MemoryTransport } from '../../support/memory-transport.ts'
import { PacedTransport } from '../../support/paced-transport.ts'
import { runs } from '../../support/tier.ts'

/** Reconnects with a position, as EventSource does. */
async function reconnect(
  comet: Comet,
  position: string | undefined,
  transport = new MemoryTransport(),
  rids = ['den'],
) {
  await comet.connect({ identity: 'alice', transport, rids, ...(position === undefined ? {} : { position }) })
  return transport
}

describe('Comet.connect with a position', () => {
  afterEach(closeComets)

  for (const end of ['disconnect', 'close'] as const) {
    it(`loses nothing when it is ended by ${end} before its stream has begun, and comes back`, async () => {
      const broker = new MemoryBroker()
      const gate = new Gate()
      const { comet } = makeComet({ broker, presence: gatedPresence(broker.presence, gate) })
      const { comet: other } = makeComet({ broker })
      const position = await other.position()
      await other.publish({ uid: 'alice', evt: 'missed' })
      const first = new MemoryTransport()
      void comet.connect({ identity: 'alice', transport: first, position })
      await until(() => comet.stats().sessions === 1)
      await other.publish({ uid: 'alice', evt: 'published meanwhile' })
      if (end === 'disconnect') void comet.disconnect({ uid: 'alice' }, { reconnect: true })
      else void comet.close({ drain: 0 })
      await until(() => first.control('close') !== undefined)
      gate.open()
      const second = await reconnect(other, first.lastEventId ?? position)
      assert.deepEqual([...first.published, ...second.published], ['missed', 'published meanwhile'])
    })
  }

  it('replays the events of the user, its rooms and the world, in order, and nothing else', async () => {
    const { comet } = makeComet()
    const first = await reconnect(comet, undefined)
    await comet.publish({ evt: '0' })
    await until(() => first.published.length === 1)
    first.drop()
    await comet.publish({ uid: 'alice', evt: '1' })
    await comet.publish({ rid: 'den', evt: '2' })
    await comet.publish({ rid: 'attic', evt: 'not hers' })
    await comet.publish({ uid: 'bob', evt: 'not hers' })
    await comet.publish({ evt: '3' }, { except: { uid: 'alice' } })
    await comet.publish({ evt: '4' })
    const second = await reconnect(comet, first.lastEventId)
    assert.deepEqual(second.published, ['1', '2', '4'])
    assert.equal(second.control('ready')?.recovered, true)
    assert.equal(second.events[0]?.id, first.lastEventId)
    assert.equal(second.writes, 1)
    await comet.publish({ evt: '5' })
    await until(() => second.published.length === 4)
    assert.deepEqual(second.published, ['1', '2', '4', '5'])
  })

  it('loses and repeats nothing when the replay is cut at any byte', async () => {
    const { comet } = makeComet()
    const start = (await reconnect(comet, undefined)).lastEventId
    const evts = Array.from({ length: 50 }, (_, index) => `event\n${index}`)
    for (const [index, evt] of evts.entries()) {
      await comet.publish(
        index % 3 === 0 ? { uid: 'alice', evt } : index % 3 === 1 ? { rid: 'den', evt } : { evt },
      )
    }
    const { text } = await reconnect(comet, start)
    for (let cut = 0; cut <= text.length; cut += 1) {
      const seen = parse(text.slice(0, cut))
      const rest = await reconnect(comet, lastIdOf(seen) ?? start)
      assert.deepEqual([...publishedOf(seen), ...rest.published], evts, `cut at ${cut}`)
      rest.drop()
    }
  })

  it('names the targets with evicted events in comet.gap, and replays the others', async () => {
    const { comet } = makeComet({ historyEvents: 5 })
    const first = await reconnect(comet, undefined)
    first.drop()
    await comet.publish({ uid: 'alice', evt: 'hers' })
    for (let tick = 0; tick < 100; tick += 1) await comet.publish({ evt: `tick ${tick}` })
    const second = await reconnect(comet, first.lastEventId)
    assert.equal(second.control('ready')?.recovered, false)
    assert.deepEqual(second.control('gap'), { targets: [{ world: true }] })
    assert.deepEqual(second.published, ['hers', ...[95, 96, 97, 98, 99].map((tick) => `tick ${tick}`)])
    second.drop()
    const third = await reconnect(comet, second.lastEventId)
    assert.equal(third.control('ready')?.recovered, true)
    assert.deepEqual(third.published, [])
  })

  it('names all targets for a position of an earlier life of the server, and replays nothing', async () => {
    const { comet } = makeComet()
    await comet.publish({ evt: 'before' })
    for (const position of ['AAAAAAAA.1', 'nonsense', `${'x'.repeat(500)}`, '0', 'a\nb']) {
      const client = await reconnect(comet, position)
      assert.deepEqual(client.control('gap'), {
        targets: [{ uid: 'alice' }, { rid: 'den' }, { world: true }],
      })
      assert.equal(client.control('ready')?.recovered, false)
      assert.deepEqual(client.published, [])
    }
  })

  it('loses nothing that is published while canEnter decides', async () => {
    let answer: (allowed: boolean) => void = () => {}
    const { comet } = makeComet({ canEnter: () => new Promise((resolve) => (answer = resolve)) })
    const start = (await connect(comet, { uid: 'alice', rooms: ['den'] })).lastEventId
    await comet.publish({ rid: 'den', evt: '1' })
    const transport = new MemoryTransport()
    const connecting = reconnect(comet, start, transport)
    await comet.publish({ rid: 'den', evt: '2' })
    answer(true)
    await comet.publish({ rid: 'den', evt: '3' })
    await connecting
    await comet.publish({ rid: 'den', evt: '4' })
    await until(() => transport.published.length === 4)
    assert.deepEqual(transport.published, ['1', '2', '3', '4'])
  })

  it('replays no transient events, and no rooms without history', async () => {
    const { comet } = makeComet({ keepHistory: ({ rid }) => rid !== 'den' })
    const first = await reconnect(comet, undefined, undefined, ['den', 'attic'])
    await comet.publish({ rid: 'den', evt: 'live' })
    await comet.publish({ evt: 'typing' }, { transient: true })
    await until(() => first.published.length === 2)
    first.drop()
    await comet.publish({ rid: 'den', evt: 'secret' })
    await comet.publish({ rid: 'attic', evt: 'kept' })
    await comet.publish({ rid: 'attic', evt: 'typing' }, { transient: true })
    const second = await reconnect(comet, first.lastEventId, undefined, ['den', 'attic'])
    assert.deepEqual(second.published, ['kept'])
    assert.equal(second.control('ready')?.recovered, true)
  })

  it('reports a gap when there is no history and something was published since', async () => {
    const { comet } = makeComet({ historyEvents: 0 })
    const first = await reconnect(comet, undefined)
    await comet.publish({ evt: 'live' })
    await until(() => first.published.length === 1)
    first.drop()
    const second = await reconnect(comet, first.lastEventId)
    assert.equal(second.control('ready')?.recovered, true)
    second.drop()
    await comet.publish({ evt: 'missed' })
    const third = await reconnect(comet, second.lastEventId)
    assert.equal(third.control('ready')?.recovered, false)
    assert.ok(third.control('gap'))
    assert.deepEqual(third.published, [])
  })

  it('gives a newcomer the recent events of its rooms on request, and an id after the last of them', async () => {
    const { comet } = makeComet()
    for (const evt of ['1', '2', '3']) await comet.publish({ rid: 'den', evt })
    await comet.publish({ rid: 'attic', evt: '4' })
    const transport = new MemoryTransport()
    await comet.connect({ identity: 'alice', transport, rids: ['attic', 'den'], recent: 2 })
    assert.deepEqual(transport.published, ['2', '3', '4'])
    const [ready, ...events] = transport.events
    assert.deepEqual(
      events.map(({ id }) => id),
      [undefined, undefined, undefined, events.at(-1)?.id],
    )
    assert.equal(ready?.id, undefined)
    assert.equal(events.at(-1)?.event, 'comet.heartbeat')
    const again = await reconnect(comet, transport.lastEventId)
    assert.deepEqual(again.published, [])
  })

  it('replays a room for JOIN, since a position or its recent events', async () => {
    const { comet } = makeComet({ historyEvents: 3 })
    const start = (await connect(comet, 'bob')).lastEventId ?? ''
    for (const evt of ['1', '2']) await comet.publish({ rid: 'den', evt })
    const alice = await connect(comet, 'alice')
    const join = (fields: object) =>
      comet.receive({
        sid: alice.sid,
        identity: 'alice',
        packet: { type: 'JOIN', join: { rid: 'den', ...fields } },
      })
    const leave = () => comet.leave({ sid: alice.sid }, 'den')
    await join({ since: start })
    await until(() => alice.published.length === 2)
    await leave()
    await join({ recent: 1 })
    await until(() => alice.published.length === 3)
    await leave()
    for (const evt of ['3', '4', '5']) await comet.publish({ rid: 'den', evt })
    await join({ since: start })
    await until(() => alice.published.length === 6)
    assert.deepEqual(alice.published, ['1', '2', '2', '3', '4', '5'])
    assert.deepEqual(alice.control('gap'), { targets: [{ rid: 'den' }] })
    await assert.rejects(join({ recent: -1 }), { code: 'INVALID_FIELD' })
  })

  it('paces a replay and continues with live events, without gap or duplicate', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('publish', 'read', 'drop', 'big'), { maxLength: 80 }),
        async (steps) => {
          const { comet } = makeComet()
          const evts: string[] = []
          const got: string[] = []
          let client = new PacedTransport()
          await reconnect(comet, undefined, client)
          for (const step of steps) {
            if (step === 'publish' || step === 'big') {
              const evt = `${evts.length}${step === 'big' ? 'x'.repeat(70_000) : ''}`
              evts.push(evt)
              await comet.publish(evts.length % 2 ? { rid: 'den', evt } : { uid: 'alice', evt })
            } else if (step === 'read') {
              await new Promise(setImmediate)
              client.read()
            } else {
              client.drop()
              got.push(...client.published)
              const position = client.lastEventId
              client = new PacedTransport()
              await reconnect(comet, position, client)
              assert.equal(client.control('gap'), undefined)
            }
          }
          const all = () => [...got, ...client.published]
          await until(async () => {
            await new Promise(setImmediate)
            client.read()
            return all().length >= evts.length
          })
          assert.deepEqual(all(), evts)
          client.drop()
        },
      ),
      runs(60),
    )
  })
})

function parse(text: string): EventSourceMessage[] {
  const events: EventSourceMessage[] = []
  createParser({ onEvent: (event) => events.push(event) }).feed(text)
  return events
}

function publishedOf(events: readonly EventSourceMessage[]): string[] {
  return events.filter(({ event }) => event === undefined).map(({ data }) => data)
}
