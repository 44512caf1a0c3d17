import assert from 'node:assert/strict'
import { connect, openEventSource } from '../support/clients.ts'
import { heard } from '../support/heard.ts'
import { type Adapter, adapters, type Host, http1Adapters } from '../support/http.ts'
import { until } from '../support/inbox.ts'
import '../support/process-guard.ts'

/** How a client says where it was. */
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

/** Positions that no Comet gave. As EventSource would send them: their UTF-8 as if it were Latin-1. */
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

/** What may stand only in a URL. */
const encoded = [
  '%0D%0Aevent:%20evil%0D%0Adata:%20evil%0D%0A%0D%0A',
  '1%0Aid:%20evil',
  'evil%00',
  '%FF%FE%80',
  '%ED%A0%80',
  '%',
  'AAAAAAAA.1%0A',
]

for (const adapter of adapters) {
  describe(`A client that comes back behind ${adapter.name}`, () => {
    let host: Host

    beforeEach(async () => {
      host = await adapter.host({ comet: { canEnter: () => true, historyEvents: 3 } })
    })
    afterEach(() => host.close())

    for (const { name, send } of ways) {
      it(`gets what it missed since ${name}, in order, after comet.ready with that position`, async () => {
        const { comet } = host
        const before = await connect(host, 'alice', { path: '?rid=den' })
        await comet.publish({ uid: 'alice', evt: 'seen' })
        const { id: position = '' } = await before.next('message')
        before.destroy()
        await comet.publish({ uid: 'alice', evt: '1' })
        await comet.publish({ rid: 'den', evt: '2' })
        await comet.publish({ uid: 'bob', evt: 'his' })
        await comet.publish({ rid: 'attic', evt: 'elsewhere' })
        await comet.publish({ evt: '3' })
        const after = await connect(host, 'alice', send(position))
        await comet.publish({ rid: 'den', evt: '4' })
        assert.equal(after.first.id, position)
        assert.equal(after.ready.recovered, true)
        assert.deepEqual(await heard(host, after), ['1', '2', '3', '4'])
        assert.equal(new Set(after.blocks.map(({ id }) => id)).size, after.blocks.length)
        after.destroy()
      })
    }

    it('is believed the header rather than the URL, which EventSource cannot change', async () => {
      const { next, destroy, first } = await connect(host, 'alice')
      await host.comet.publish({ uid: 'alice', evt: '1' })
      await host.comet.publish({ uid: 'alice', evt: '2' })
      const { id = '' } = await next('message')
      destroy()
      const url = { path: `?lastEventId=${first.id}` }
      const both = await connect(host, 'alice', { ...url, headers: { 'last-event-id': id } })
      assert.deepEqual(await heard(host, both), ['2'])
      const empty = await connect(host, 'alice', { ...url, headers: { 'last-event-id': '' } })
      assert.deepEqual(await heard(host, empty), ['1', '2'])
      both.destroy()
      empty.destroy()
    })

    it('is at the current position when it missed nothing, as one is that is new', async () => {
      const { first, destroy } = await connect(host, 'alice')
      destroy()
      await host.comet.publish({ uid: 'bob', evt: 'his' })
      const back = await connect(host, 'alice', ways[0]?.send(String(first.id)))
      const fresh = await connect(host, 'alice', { path: '?lastEventId=' })
      assert.deepEqual([back.ready.recovered, fresh.ready.recovered], [true, false])
      assert.notEqual(back.first.id, first.id)
      assert.equal(back.first.id, fresh.first.id)
      for (const stream of [back, fresh]) {
        assert.deepEqual(await heard(host, stream), [])
        stream.destroy()
      }
    })

    it('is told of which targets something is gone for good, and gets the others whole', async () => {
      const { first, destroy } = await connect(host, 'alice')
      destroy()
      await host.comet.publish({ uid: 'alice', evt: 'hers' })
      for (const evt of ['1', '2', '3', '4']) await host.comet.publish({ rid: 'den', evt })
      const back = await connect(host, 'alice', ways[0]?.send(String(first.id)))
      assert.equal(back.ready.recovered, false)
      assert.deepEqual(JSON.parse((await back.next()).data), { targets: [{ rid: 'den' }] })
      assert.deepEqual(await heard(host, back), ['hers', '2', '3', '4'])
      back.destroy()
    })

    it('is told how long to wait before the next time on every accepted stream', async () => {
      const { first, destroy } = await connect(host, 'alice')
      destroy()
      const back = await connect(host, 'alice', ways[0]?.send(String(first.id)))
      const lost = await connect(host, 'alice', ways[0]?.send('nonsense'))
      for (const { retry = 0 } of [first, back.first, lost.first]) {
        assert.ok(retry >= 1_500 && retry <= 2_500, `retry ${retry}`)
      }
      back.destroy()
      lost.destroy()
    })

    for (const position of absurd) {
      it(`is as new with the position ${position.slice(0, 80)}, and told so`, async () => {
        const latin1 = Buffer.from(position).toString('latin1')
        await isAsNew({ path: '?rid=den', headers: { 'last-event-id': latin1 } }, position)
        await isAsNew({ path: `?rid=den&lastEventId=${encodeURIComponent(position)}` }, position)
      })
    }

    for (const position of encoded) {
      it(`is as new with ?lastEventId=${position}, and told so`, async () => {
        await isAsNew({ path: `?rid=den&lastEventId=${position}` }, 'evil')
      })
    }

    /** It gets a stream that is whole, and its own words never come back to it. */
    async function isAsNew(send: { path: string; headers?: Record<string, string> }, word: string) {
      await host.comet.publish({ uid: 'alice', evt: 'before' })
      const stream = await connect(host, 'alice', send)
      assert.equal(stream.ready.recovered, false)
      const targets = [{ uid: 'alice' }, { rid: 'den' }, { world: true }]
      // Not before it was told of the gap does it get another position.
      assert.equal(stream.first.id, undefined)
      const { id, data } = await stream.next()
      assert.deepEqual(JSON.parse(data), { targets })
      assert.deepEqual(await heard(host, stream), [])
      assert.deepEqual(
        stream.blocks.map(({ event }) => event),
        ['comet.ready', 'comet.gap', 'message'],
      )
      if (word.length > 3) assert.ok(!stream.text().includes(word))
      stream.destroy()
      const newcomer = await connect(host, 'alice', ways[0]?.send(String(id)))
      assert.deepEqual(await heard(host, newcomer), [])
      newcomer.destroy()
    }

    it('may be two tabs at two positions, and each gets its own', async () => {
      const { first, next, destroy } = await connect(host, 'alice')
      for (const evt of ['1', '2', '3']) await host.comet.publish({ uid: 'alice', evt })
      const { id = '' } = await next('message')
      destroy()
      const tabs = [
        await connect(host, 'alice', { path: '?clientId=a', headers: { 'last-event-id': String(first.id) } }),
        await connect(host, 'alice', { path: '?clientId=b', headers: { 'last-event-id': id } }),
      ]
      await host.comet.publish({ uid: 'alice', evt: '4' })
      assert.deepEqual(await Promise.all(tabs.map((tab) => heard(host, tab))), [
        ['1', '2', '3', '4'],
        ['2', '3', '4'],
      ])
      for (const tab of tabs) tab.destroy()
    })
  })
}

describe('An EventSource whose connection is cut', () => {
  for (const adapter of http1Adapters) {
    it(`comes back by itself and loses nothing, behind ${adapter.name}`, () => losesNothing(adapter))
  }
})

async function losesNothing(adapter: Adapter) {
  const host = await adapter.host({ comet: { canEnter: () => true, retry: 1_000 } })
  const client = openEventSource(`${host.url}?u=alice&rid=den`)
  const evts = Array.from({ length: 30 }, (_, index) => `${index}`)
  const got = () => client.events.filter(({ type }) => type === 'message').map(({ data }) => data)
  const publish = async (from: number, to: number) => {
    for (const evt of evts.slice(from, to)) {
      const target = [{ uid: 'alice' }, { rid: 'den' }, {}][Number(evt) % 3]
      await host.comet.publish({ ...target, evt })
    }
  }
  try {
    await client.next('comet.ready')
    for (const round of [0, 10]) {
      await publish(round, round + 5)
      await until(() => got().length >= round + 1, 'some of it heard')
      for (const socket of host.sockets) socket.destroy()
      await publish(round + 5, round + 10)
      assert.equal(JSON.parse((await client.next('comet.ready')).data).recovered, true)
    }
    await publish(20, 30)
    await until(() => got().length >= evts.length, 'all of it heard')
    assert.deepEqual(got(), evts)
    assert.deepEqual(client.statuses, [200, 200, 200])
  } finally {
    client.close()
    await host.close()
  }
}
