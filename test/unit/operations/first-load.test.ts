import assert from 'node:assert/strict'
import type { Comet, CometOptions } from '../../../lib/index.ts'
import { closeComets, type connect, makeComet } from '../../support/comets.ts'
import { until } from '../../support/inbox.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'

interface Page {
  readonly clientId?: string
  readonly position?: string
  readonly rids?: readonly string[]
  readonly recent?: number
}

async function open(comet: Comet, page: Page = {}, identity: Parameters<typeof connect>[1] = 'alice') {
  const transport = new MemoryTransport()
  await comet.connect({ identity, transport, ...page })
  return transport
}

/** What past events have for a position: the comments `:at=`. */
function pastPositions({ text }: MemoryTransport): string[] {
  return Array.from(text.matchAll(/^:at=(.*)$/gm), ([, position]) => String(position))
}

describe('Comet.position', () => {
  afterEach(closeComets)

  it('is where a page starts that was rendered with it: it gets all that was published since', async () => {
    const { comet } = makeComet()
    await comet.publish({ uid: 'alice', evt: 'in the data' })
    const position = await comet.position()
    await comet.publish({ uid: 'alice', event: 'bell', data: 1 })
    await comet.publish({ rid: 'den', evt: 'while the page loads' })
    const page = await open(comet, { position, rids: ['den'] })
    await comet.publish({ evt: 'live' })
    await until(() => page.published.length === 2)
    assert.deepEqual([page.named, page.published], [[['bell', 1]], ['while the page loads', 'live']])
    assert.equal(page.control('ready')?.recovered, true)
  })

  it('rejects when the subscription of the broker has failed', async () => {
    const { comet: other } = makeComet()
    const failure = new Error('no broker')
    const { comet } = makeComet({
      broker: {
        join: () => ({
          ready: Promise.reject(failure),
          position: () => '0',
          compare: () => 0,
          reach: async () => {},
          publish: async () => {},
          published: () => undefined,
          close: async () => {},
        }),
      },
      presence: { join: () => ({ secret: async () => 'secret', close: async () => {} }) } as never,
      controller: { join: () => ({ close: async () => {} }) } as never,
    } as CometOptions)
    comet.on('error', () => {})
    await assert.rejects(comet.position(), failure)
    assert.match(await other.position(), /^[\w.:-]+$/)
  })
})

describe('Comet.connect with recent', () => {
  afterEach(closeComets)

  it("brings the last events of the user and its rooms, in order, without ids; never the world's", async () => {
    const { comet } = makeComet()
    await comet.publish({ uid: 'alice', event: 'old', data: 0 })
    await comet.publish({ uid: 'alice', event: 'bell', data: 1 })
    await comet.publish({ rid: 'den', event: 'chat', data: 'two\nlines' })
    await comet.publish({ evt: 'to the world' })
    await comet.publish({ uid: ['alice', 'bob'], evt: '3' })
    await comet.publish({ uid: 'bob', evt: 'not hers' })
    await comet.publish({ rid: 'den', evt: 'not for her' }, { except: { uid: 'alice' } })
    const stored = [...comet.history({ uid: 'alice' }), ...comet.history({ rid: 'den' })]
    const page = await open(comet, { rids: ['den'], recent: 2 })
    assert.deepEqual(page.named, [
      ['bell', 1],
      ['chat', 'two\nlines'],
    ])
    assert.deepEqual(page.published, ['3'])
    const positions = [stored[1], stored[3], stored[2]].map((event) => event?.position)
    assert.deepEqual(pastPositions(page), positions)
    assert.deepEqual(page.labels.slice(0, 1), [`:uid :at=${positions[0]}`])
    assert.equal(page.events.filter(({ id }) => id !== undefined).length, 1, 'only the heartbeat after them')
    await comet.publish({ evt: 'live' })
    await until(() => page.published.length === 2)
  })

  it('brings the events of the rooms of the user, too, and none to anonymous clients but of their rooms', async () => {
    const { comet } = makeComet()
    await open(comet)
    await comet.enter({ uid: 'alice' }, 'hall')
    await comet.publish({ rid: 'hall', evt: 'to the hall' })
    assert.deepEqual((await open(comet, { recent: 5 })).published, ['to the hall'])
    const anonymous = await open(comet, { recent: 5, rids: ['hall'] }, { anonymous: true })
    assert.deepEqual(anonymous.published, ['to the hall'])
  })

  it('brings with a position only those of rooms that a takeover enters anew, and no event twice', async () => {
    const { comet } = makeComet({ offlineGrace: 60_000 })
    for (const rid of ['den', 'attic']) {
      for (const evt of ['1', '2', '3']) await comet.publish({ rid, evt: `${rid} ${evt}` })
    }
    const first = await open(comet, { clientId: 'tab', rids: ['den'], recent: 2 })
    assert.deepEqual(first.published, ['den 2', 'den 3'])
    await comet.publish({ rid: 'den', evt: 'live' })
    await until(() => first.published.length === 3)
    const position = String(first.lastEventId)
    first.drop()
    for (const rid of ['den', 'attic']) await comet.publish({ rid, evt: `${rid} missed` })
    const back = await open(comet, { clientId: 'tab', rids: ['den', 'attic'], recent: 2, position })
    assert.deepEqual(back.published, ['attic 2', 'attic 3', 'den missed', 'attic missed'])
    assert.equal(back.control('ready')?.recovered, true)
    const plain = await open(comet, { rids: ['den', 'attic'], recent: 2, position })
    assert.deepEqual(plain.published, ['den missed', 'attic missed'])
  })

  it('brings those of rooms that are entered anew with a position of another epoch, and says the gap', async () => {
    const { comet } = makeComet({ offlineGrace: 60_000 })
    const first = await open(comet, { clientId: 'tab', rids: ['den'] })
    for (const rid of ['den', 'attic']) await comet.publish({ rid, evt: rid })
    first.drop()
    const page = { clientId: 'tab', rids: ['den', 'attic'], recent: 2, position: 'AAAAAAAA.1' }
    const back = await open(comet, page)
    assert.deepEqual(back.published, ['attic'])
    assert.equal((back.control('gap')?.targets as unknown[] | undefined)?.length, 5)
  })

  it('names a gap only for targets whose events were evicted for want of historyBytes', async () => {
    const { comet } = makeComet({ historyBytes: 20_000, historyEvents: 3 })
    for (let index = 0; index < 5; index += 1) await comet.publish({ rid: 'den', evt: `${index}` })
    const complete = await open(comet, { rids: ['den'], recent: 10 })
    assert.deepEqual([complete.control('gap'), complete.published], [undefined, ['2', '3', '4']])
    for (let index = 0; index < 3; index += 1) await comet.publish({ rid: 'files', evt: 'x'.repeat(9_000) })
    const lost = await open(comet, { rids: ['files', 'den'], recent: 3 })
    assert.deepEqual(lost.control('gap')?.targets, [{ rid: 'files' }])
    assert.equal(lost.control('ready')?.recovered, false)
    assert.equal((await open(comet, { rids: ['files'], recent: 1 })).control('gap'), undefined)
  })

  it('brings as many events as it asks for besides those that pass over the user', async () => {
    const { comet } = makeComet()
    for (let index = 0; index < 5; index += 1) {
      await comet.publish({ rid: 'den', evt: `${index}` })
      await comet.publish({ rid: 'den', evt: 'her own' }, { except: { uid: 'alice' } })
    }
    assert.deepEqual((await open(comet, { rids: ['den'], recent: 2 })).published, ['3', '4'])
    assert.deepEqual((await open(comet, { rids: ['den'], recent: 99 })).published.length, 5)
    const bob = await open(comet, { rids: ['den'], recent: 2 }, 'bob')
    assert.deepEqual(bob.published, ['4', 'her own'])
  })

  it('names a gap for a user whose own events are beyond historyRate', async () => {
    const { comet } = makeComet({ historyRate: 100 })
    await comet.publish({ uid: 'alice', evt: 'x'.repeat(1_000) })
    const pages = [await open(comet, { recent: 1 }), await open(comet, { recent: 1 })]
    assert.deepEqual(
      pages.map((page) => [page.published.length, page.control('gap')?.targets]),
      [
        [1, undefined],
        [0, [{ uid: 'alice' }]],
      ],
    )
  })
})

describe('onMessage and hook "message"', () => {
  afterEach(closeComets)

  it('get the session with its rooms and clientId, and the info of the request', async () => {
    const seen: unknown[] = []
    const comet = makeComet({
      onMessage: ({ session, info }) => {
        seen.push([session.rooms, session.clientId, info])
        return session.rooms.includes('den')
      },
    }).comet
    comet.on('message', ({ session, info }) => seen.push([session.sid === page.sid, info]))
    const page = await open(comet, { clientId: 'tab', rids: ['den'] })
    await comet.enter({ uid: 'alice' }, 'hall')
    const packet = { type: 'SEND', send: { evt: 'hi' } }
    const identity = { uid: 'alice', info: { name: 'Alice' } }
    assert.equal(await comet.receive({ sid: page.sid, identity, packet }), 'true')
    await comet.leave({ uid: 'alice' }, 'den')
    assert.equal(await comet.receive({ sid: page.sid, identity: 'alice', packet }), 'false')
    assert.deepEqual(seen, [
      [['den', 'hall'], 'tab', { name: 'Alice' }],
      [true, { name: 'Alice' }],
      [['hall'], 'tab', undefined],
      [true, undefined],
    ])
  })
})
