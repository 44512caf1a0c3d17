import assert from 'node:assert/strict'
import { connect, openEventSource, postPacket, request } from '../support/clients.ts'
import { adapters, type Host, type HostOptions, http1Adapters, identifyByHeader } from '../support/http.ts'
import { within } from '../support/inbox.ts'
import '../support/process-guard.ts'

for (const adapter of adapters) {
  describe(`An identity that expires, behind ${adapter.name}`, () => {
    let host: Host

    const start = async (options: HostOptions) => {
      host = await adapter.host(options)
    }
    afterEach(() => host.close())

    it('has its stream closed then and not before, to come back', async () => {
      const expiresAt = Date.now() + 400
      await start({ identify: () => ({ uid: 'alice', expiresAt }) })
      const stream = await connect(host, '')
      const { data, id } = await stream.next('comet.close')
      assert.ok(Date.now() >= expiresAt)
      assert.equal(await within(stream.ended, 'the end'), true)
      assert.deepEqual(JSON.parse(data), {
        code: 'EXPIRED',
        reason: 'The identity has expired.',
        reconnect: true,
      })
      // No mark: it may come back.
      assert.equal(id, undefined)
    })

    it('gets 401 when it has expired already, for the stream and for packets', async () => {
      let expiresAt = Date.now() + 60_000
      await start({ identify: () => ({ uid: 'alice', expiresAt }) })
      const { sid } = await connect(host, '')
      expiresAt = Date.now() - 1
      const { status, json } = await request(host)
      assert.deepEqual([status, json.error], [401, { code: 'UNAUTHENTICATED', message: EXPIRED }])
      assert.equal((await postPacket(host, '', sid, { type: 'HB' })).status, 401)
      assert.deepEqual(host.failures, [])
    })

    for (const [what, expiresAt, problem] of [
      ['in seconds', Math.floor(Date.now() / 1_000) + 3_600, 'must be in milliseconds, not seconds'],
      ['as text', '2100-01-01', 'must be a number of milliseconds, not a string'],
      ['as a Date', new Date(), 'must be a number of milliseconds, not an object'],
      ['as NaN', Number.NaN, 'must be a number of milliseconds, not a number'],
    ] as const) {
      it(`goes the way of the host's own errors ${what}, and says why`, async () => {
        await start({ identify: () => ({ uid: 'alice', expiresAt: expiresAt as number }) })
        assert.equal((await request(host)).status, 500)
        assert.deepEqual(
          host.failures.map((error) => (error as Error).message),
          [`What identify answered is wrong: expiresAt ${problem}.`],
        )
      })
    }
  })

  describe(`Heartbeats behind ${adapter.name}`, () => {
    it('have a client closed that said it answers and does not, and nobody else', async () => {
      const host = await adapter.host({ comet: { heartbeatInterval: 250 } })
      try {
        const answering = await connect(host, 'alice', { path: '?hb=1' })
        const plain = await connect(host, 'bob')
        const before = performance.now()
        const silent = await connect(host, 'carol', { path: '?hb=1' })
        assert.equal(silent.ready.heartbeat, 250)
        let isOver = false
        const answer = async () => {
          while (!isOver) {
            await answering.next('comet.heartbeat')
            assert.equal((await postPacket(host, 'alice', answering.sid, { type: 'HB' })).status, 204)
          }
        }
        const answered = answer()
        answered.catch(() => {})
        const { code, reconnect } = JSON.parse((await silent.next('comet.close')).data)
        assert.deepEqual([code, reconnect], ['SILENT', true])
        assert.equal(await within(silent.ended, 'the end'), true)
        assert.ok(performance.now() - before >= 3 * 250)
        assert.ok(silent.blocks.some(({ event }) => event === 'comet.heartbeat'))
        isOver = true
        await answered
        await host.comet.publish({ evt: 'hi' })
        for (const { next } of [answering, plain]) assert.equal((await next('message')).data, 'hi')
        assert.equal(host.comet.stats().sessions, 2)
      } finally {
        await host.close()
      }
    })
  })
}

const EXPIRED = 'The identity has expired.'

describe('An EventSource whose identity expires', () => {
  for (const adapter of http1Adapters) {
    it(`comes back as who it is then, and gets nothing of who it was, behind ${adapter.name}`, async () => {
      let user = 'alice'
      const host = await adapter.host({
        comet: { canEnter: () => true, retry: 1_000 },
        identify: (req) =>
          identifyByHeader(req) ?? (user === 'alice' ? { uid: user, expiresAt: Date.now() + 400 } : user),
      })
      const client = openEventSource(`${host.url}?rid=den&clientId=browser`)
      const { comet } = host
      try {
        const alice = JSON.parse((await client.next('comet.ready')).data)
        await postPacket(host, 'alice', alice.sid, { type: 'JOIN', join: { rid: 'alices' } })
        await comet.publish({ uid: 'alice', evt: 'hers' })
        const { lastEventId } = await client.next('message')
        assert.ok(lastEventId)
        assert.equal(JSON.parse((await client.next('comet.close')).data).code, 'EXPIRED')
        user = 'bob'
        await comet.publish({ uid: 'alice', evt: 'secret' })
        await comet.publish({ rid: 'alices', evt: 'secret' })
        await comet.publish({ uid: 'bob', evt: 'his' })
        await comet.publish({ rid: 'den', evt: "the den's" })
        await comet.publish({ evt: "the world's" })
        const bob = JSON.parse((await client.next('comet.ready')).data)
        await comet.publish({ uid: 'alice', evt: 'secret' })
        await comet.publish({ uid: 'bob', evt: 'that is all' })
        while ((await client.next('message')).data !== 'that is all') {}
        const evts = client.events.filter(({ type }) => type === 'message').map(({ data }) => data)
        assert.deepEqual(evts, ['hers', 'his', "the den's", "the world's", 'that is all'])
        assert.deepEqual([bob.uid, bob.rooms, bob.recovered], ['bob', ['den'], true])
        assert.notEqual(bob.sid, alice.sid)
        assert.deepEqual(client.statuses, [200, 200])
      } finally {
        client.close()
        await host.close()
      }
    })
  }
})
