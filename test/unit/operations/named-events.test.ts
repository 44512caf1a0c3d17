import assert from 'node:assert/strict'
import fc from 'fast-check'
import { MemoryBroker } from '../../../lib/index.ts'
import { anyText } from '../../support/arbitraries.ts'
import { closeComets, connect, makeComet } from '../../support/comets.ts'
import { until } from '../../support/inbox.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'

describe('Comet.publish: a named event', () => {
  afterEach(closeComets)

  it('goes out under its name, with its data as JSON and a comment that names its target', async () => {
    const { comet } = makeComet()
    const alice = await connect(comet, 'alice', 'lobby')
    const before = alice.text.length
    await comet.publish({ rid: 'lobby', event: 'chat', data: { text: 'hi\nthere' } })
    await comet.publish({ uid: 'alice', event: 'bell', data: 'a string' })
    await comet.publish({ sid: alice.sid, event: 'snapshot', data: [1, null] })
    await comet.publish({ event: 'tick', data: 7 })
    await comet.publish({ rid: 'lobby', evt: 'opaque' })
    await until(() => alice.published.length > 0)
    const ids = alice.events.slice(-5).map(({ id }) => id)
    assert.deepEqual(alice.text.slice(before).split('\n\n'), [
      `:rid=lobby\nevent: chat\ndata: {"text":"hi\\nthere"}\nid: ${ids[0]}`,
      `:uid\nevent: bell\ndata: "a string"\nid: ${ids[1]}`,
      `:sid\nevent: snapshot\ndata: [1,null]\nid: ${ids[2]}`,
      `event: tick\ndata: 7\nid: ${ids[3]}`,
      `:rid=lobby\ndata: opaque\nid: ${ids[4]}`,
      '',
    ])
  })

  it('goes out with null for data that is undefined, because an event without data reaches nobody', async () => {
    const { comet } = makeComet()
    const alice = await connect(comet, 'alice')
    await comet.publish({ uid: 'alice', event: 'refresh' })
    await comet.publish({ uid: 'alice', event: 'refresh', data: undefined })
    await comet.publish({ uid: 'alice', event: 'refresh', data: null })
    await until(() => alice.named.length > 0)
    assert.deepEqual(alice.named, Array(3).fill(['refresh', null]))
  })

  it('brings any JSON unchanged, live, on resume and in the history, small or large', async () => {
    const { comet } = makeComet()
    const names = fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' })
    await fc.assert(
      fc.asyncProperty(
        names,
        fc.jsonValue(),
        fc.constantFrom('', 'x'.repeat(20_000)),
        async (text, value, filler) => {
          const event = `é ${text}`
          // What JSON itself does not keep, such as -0.
          const data = JSON.parse(JSON.stringify({ value, filler }))
          const alice = await connect(comet, 'alice', 'den')
          const position = alice.lastEventId
          await comet.publish({ rid: 'den', event, data })
          await until(() => alice.named.length > 0)
          const back = new MemoryTransport()
          await comet.connect({
            identity: 'alice',
            transport: back,
            rids: ['den'],
            position: String(position),
          })
          const recent = new MemoryTransport()
          await comet.connect({ identity: 'carol', transport: recent, rids: ['den'], recent: 1 })
          for (const client of [alice, back, recent]) {
            assert.deepEqual(client.named, [[event, data]])
            client.drop()
          }
          const [stored] = comet.history({ rid: 'den' }, { limit: 1 })
          assert.deepEqual(stored, { position: alice.lastEventId, event, data })
        },
      ),
      { numRuns: 50 },
    )
  })

  it('is refused under a name that EventSource or Comet uses, or that cannot be one', async () => {
    const { comet } = makeComet({ maxIdBytes: 10 })
    comet.on('error', () => {})
    for (const [event, says] of [
      ['error', /not be error, open, message or comet\.…/],
      ['open', /not be error/],
      ['message', /not be error/],
      ['comet.ready', /have at most 10 bytes \(option maxIdBytes\)/],
      ['comet.x', /not be error/],
      ['', /not be empty/],
      ['a\nb', /not contain control characters/],
      ['a\u0000', /not contain control characters/],
      ['a\u007f', /not contain control characters/],
      ['a\ud800', /not contain a lone surrogate/],
      ['éééééé', /at most 10 bytes/],
      [undefined, /^The event has no name: give event, a string\.$/],
      [7, /be a string, not a number/],
    ] as const) {
      const refused = comet.publish({ event: event as string, data: 1 })
      await assert.rejects(refused, { code: 'INVALID_EVENT', message: says }, String(event))
    }
    for (const event of ['Error', 'comet', 'é', ' a: b', 'x'.repeat(10)])
      await comet.publish({ event, data: 1 })
    assert.equal(comet.history({}).length, 5)
  })

  it('is refused with data that JSON cannot say, with an evt too, and without a name', async () => {
    const { comet } = makeComet({ maxEventBytes: 10 })
    comet.on('error', () => {})
    const cyclic: Record<string, unknown> = {}
    cyclic.self = cyclic
    for (const [event, code, message] of [
      [{ event: 'x', data: cyclic }, 'INVALID_EVENT', /^data is not JSON: .*circular/],
      [{ event: 'x', data: 1n }, 'INVALID_EVENT', /^data is not JSON: .*BigInt/],
      [{ event: 'x', data: () => 1 }, 'INVALID_EVENT', /^data is not JSON, but a function/],
      [{ event: 'x', data: Symbol('x') }, 'INVALID_EVENT', /^data is not JSON, but a symbol/],
      [{ event: 'x', data: 1, evt: 'x' }, 'INVALID_EVENT', /but not both/],
      [{ event: 'x', evt: undefined }, 'INVALID_EVENT', /but not both/],
      [{ data: 1, evt: 'x' }, 'INVALID_EVENT', /but not both/],
      [{ data: 1 }, 'INVALID_EVENT', /^The event has no name: give event, a string\.$/],
      [{ event: 'x', data: '123456789' }, 'EVENT_TOO_LARGE', /^data must have at most 10 bytes/],
    ] as const) {
      await assert.rejects(comet.publish(event as never), { code, message })
    }
    await comet.publish({ event: 'x', data: '12345678' })
    assert.equal(comet.history({}).length, 1)
  })

  it('reaches clients of another node, and keeps the name of an evt that looks like one', async () => {
    const broker = new MemoryBroker()
    const [one, two] = [makeComet({ broker }), makeComet({ broker })]
    const [alice, bob] = [await connect(one.comet, 'alice'), await connect(two.comet, 'bob')]
    await one.comet.publish({ event: 'chat', data: 'hi' })
    await one.comet.publish({ evt: 'event: chat\ndata: "hi"' })
    for (const client of [alice, bob]) {
      await until(() => client.published.length > 0)
      assert.deepEqual([client.named, client.published], [[['chat', 'hi']], ['event: chat\ndata: "hi"']])
    }
    const [named, opaque] = two.comet.history({})
    assert.deepEqual([named?.event, named?.data, opaque?.evt], ['chat', 'hi', 'event: chat\ndata: "hi"'])
  })

  it('names a room in its comment whatever the room is called, and breaks no block', async () => {
    const { comet } = makeComet()
    await fc.assert(
      fc.asyncProperty(anyText, async (text) => {
        const rid = `r${text.toWellFormed().replace(/[\r\n\0]/g, '')}`.slice(0, 60).toWellFormed()
        const alice = await connect(comet, 'alice', rid)
        await comet.publish({ rid, event: 'x', data: 1 })
        await until(() => alice.named.length > 0)
        assert.ok(alice.text.includes(`\n\n:rid=${rid}\nevent: x\n`))
        alice.drop()
      }),
      { numRuns: 50 },
    )
  })
})
