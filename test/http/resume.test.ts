import assert from 'node:assert/strict'
import { nodeHttp, startApp, type TestApp } from '../support/apps.ts'
import { connect } from '../support/clients.ts'
import { receivedBy } from '../support/received.ts'
import '../support/process-guard.ts'

/** The two ways in which a client can send its position. */
const ways = [
  {
    name: 'the header Last-Event-ID',
    send: (position: string) => ({ path: '?rid=den', headers: { 'last-event-id': position } }),
  },
  {
    name: '?lastEventId=',
    send: (position: string) => ({ path: `?rid=den&lastEventId=${encodeURIComponent(position)}` }),
  },
]

const byHeader = (position = '') => ways[0]?.send(position)

/** Positions that no Comet issued. EventSource sends their UTF-8, which Node reads as Latin-1. */
const absurd = [
  'nonsense',
  '0',
  '-1',
  'ünï¢ødé €𝄞',
  'x'.repeat(8_000),
  'AAAAAAAA.1',
  'away:AAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA:AAAAAAAAAAAAAAAAAAAAAA',
  'away:::',
  '{"$gt":""}',
  '__proto__',
]

/** What can be sent only in a URL. */
const encoded = [
  '%0D%0Aevent:%20evil%0D%0Adata:%20evil%0D%0A%0D%0A',
  '1%0Aid:%20evil',
  'evil%00',
  '%FF%FE%80',
  '%ED%A0%80',
  '%',
  'AAAAAAAA.1%0A',
]

describe('GET stream with a position', () => {
  let app: TestApp

  beforeEach(async () => {
    app = await startApp(nodeHttp, { comet: { canEnter: () => true, historyEvents: 3 } })
  })
  afterEach(() => app.close())

  for (const { name, send } of ways) {
    it(`in ${name} brings what was missed, in order, after comet.ready with that position`, async () => {
      const { comet } = app
      const before = await connect(app, 'alice', { path: '?rid=den' })
      await comet.publish({ uid: 'alice', evt: 'seen' })
      const { id: position = '' } = await before.next('message')
      before.destroy()
      await comet.publish({ uid: 'alice', evt: '1' })
      await comet.publish({ rid: 'den', evt: '2' })
      await comet.publish({ uid: 'bob', evt: 'his' })
      await comet.publish({ rid: 'attic', evt: 'elsewhere' })
      await comet.publish({ evt: '3' })
      const after = await connect(app, 'alice', send(position))
      await comet.publish({ rid: 'den', evt: '4' })
      assert.equal(after.first.id, position)
      assert.equal(after.ready.recovered, true)
      assert.deepEqual(await receivedBy(app, after), ['1', '2', '3', '4'])
      assert.equal(new Set(after.blocks.map(({ id }) => id)).size, after.blocks.length)
    })
  }

  it('takes the header rather than the URL, which EventSource cannot change', async () => {
    const { next, destroy, first } = await connect(app, 'alice')
    await app.comet.publish({ uid: 'alice', evt: '1' })
    await app.comet.publish({ uid: 'alice', evt: '2' })
    const { id = '' } = await next('message')
    destroy()
    const url = { path: `?lastEventId=${first.id}` }
    const both = await connect(app, 'alice', { ...url, headers: { 'last-event-id': id } })
    assert.deepEqual(await receivedBy(app, both), ['2'])
    const empty = await connect(app, 'alice', { ...url, headers: { 'last-event-id': '' } })
    assert.deepEqual(await receivedBy(app, empty), ['1', '2'])
  })

  it('begins at the current position when nothing was missed, as for a new client', async () => {
    const { first, destroy } = await connect(app, 'alice')
    destroy()
    await app.comet.publish({ uid: 'bob', evt: 'his' })
    const back = await connect(app, 'alice', byHeader(first.id))
    const fresh = await connect(app, 'alice', { path: '?lastEventId=' })
    assert.deepEqual([back.ready.recovered, fresh.ready.recovered], [true, false])
    assert.notEqual(back.first.id, first.id)
    assert.equal(back.first.id, fresh.first.id)
    for (const stream of [back, fresh]) assert.deepEqual(await receivedBy(app, stream), [])
  })

  it('has a comet.gap with the targets that lost events, and brings all events of the others', async () => {
    const { first, destroy } = await connect(app, 'alice')
    destroy()
    await app.comet.publish({ uid: 'alice', evt: 'hers' })
    for (const evt of ['1', '2', '3', '4']) await app.comet.publish({ rid: 'den', evt })
    const back = await connect(app, 'alice', byHeader(first.id))
    assert.equal(back.ready.recovered, false)
    assert.deepEqual(JSON.parse((await back.next()).data), { targets: [{ rid: 'den' }] })
    assert.deepEqual(await receivedBy(app, back), ['hers', '2', '3', '4'])
  })

  it('has a retry of about two seconds, as every accepted stream', async () => {
    const { first, destroy } = await connect(app, 'alice')
    destroy()
    const back = await connect(app, 'alice', byHeader(first.id))
    const lost = await connect(app, 'alice', byHeader('nonsense'))
    for (const { retry = 0 } of [first, back.first, lost.first]) {
      assert.ok(retry >= 1_500 && retry <= 2_500, `retry ${retry}`)
    }
  })

  it('brings two tabs at two positions what each has missed', async () => {
    const { first, next, destroy } = await connect(app, 'alice')
    for (const evt of ['1', '2', '3']) await app.comet.publish({ uid: 'alice', evt })
    const { id = '' } = await next('message')
    destroy()
    const tabs = [
      await connect(app, 'alice', { path: '?clientId=a', headers: { 'last-event-id': String(first.id) } }),
      await connect(app, 'alice', { path: '?clientId=b', headers: { 'last-event-id': id } }),
    ]
    await app.comet.publish({ uid: 'alice', evt: '4' })
    assert.deepEqual(await Promise.all(tabs.map((tab) => receivedBy(app, tab))), [
      ['1', '2', '3', '4'],
      ['2', '3', '4'],
    ])
  })

  for (const position of absurd) {
    it(`is as for a new client, with a comet.gap, when the position is ${position.slice(0, 80)}`, async () => {
      const latin1 = Buffer.from(position).toString('latin1')
      await isAsNew({ path: '?rid=den', headers: { 'last-event-id': latin1 } }, position)
      await isAsNew({ path: `?rid=den&lastEventId=${encodeURIComponent(position)}` }, position)
    })
  }

  for (const position of encoded) {
    it(`is as for a new client, with a comet.gap, when ?lastEventId= is ${position}`, async () => {
      await isAsNew({ path: `?rid=den&lastEventId=${position}` }, 'evil')
    })
  }

  /** The client gets a whole stream, in which no part of its position appears except as the id of `comet.none`. */
  async function isAsNew(send: { path: string; headers?: Record<string, string> }, word: string) {
    await app.comet.publish({ uid: 'alice', evt: 'before' })
    const stream = await connect(app, 'alice', send)
    assert.equal(stream.ready.recovered, false)
    const targets = [{ uid: 'alice' }, { rid: 'den' }, { world: true }]
    // A client that is cut before the gap was told must be told again.
    assert.equal(stream.first.id, undefined)
    const { id, data } = await stream.next()
    assert.deepEqual(JSON.parse(data), { targets })
    assert.deepEqual(await receivedBy(app, stream), [])
    assert.deepEqual(
      stream.blocks.map(({ event }) => event),
      ['comet.ready', 'comet.gap', 'message'],
    )
    const rest = stream.text().replace(`:\nevent: comet.none\nid: ${word}\n\n`, '')
    if (word.length > 3) assert.ok(!rest.includes(word))
    stream.destroy()
    const newcomer = await connect(app, 'alice', byHeader(id))
    assert.deepEqual(await receivedBy(app, newcomer), [])
    newcomer.destroy()
  }
})
