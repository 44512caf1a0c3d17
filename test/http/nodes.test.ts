import assert from 'node:assert/strict'
import supertest from 'supertest'
import { type CometOptions, MemoryBroker } from '../../lib/index.ts'
import { connect, postPacket } from '../support/clients.ts'
import { adapters, type Host } from '../support/http.ts'
import { type Parser, parsersOf } from '../support/parsers.ts'
import '../support/process-guard.ts'

for (const adapter of adapters) {
  describe(`A packet that reaches another node behind ${adapter.name}`, () => {
    const hosts: Host[] = []

    /** Two nodes that share a broker; alice is on the first. */
    const cluster = async (owner: CometOptions, other: CometOptions = {}, before?: Parser['before']) => {
      const broker = new MemoryBroker()
      for (const options of [owner, other])
        hosts.push(await adapter.host({ before, comet: { broker, ...options } }))
      const [first, second] = hosts as [Host, Host]
      const alice = await connect(first, 'alice')
      return {
        first,
        second,
        alice,
        post: (packet: object) => postPacket(second, 'alice', alice.sid, packet),
      }
    }

    afterEach(async () => {
      for (const host of hosts.splice(0)) await host.close()
    })

    it('has its effect and its answer from the node that owns the session', async () => {
      const onMessage = ({ evt }: { evt: string }) => `owner got ${evt}`
      const { first, second, alice, post } = await cluster({ onMessage, canEnter: () => true })
      const heard: string[] = []
      first.comet.on('heard', ({ uid }) => heard.push(`first ${uid}`))
      second.comet.on('heard', ({ uid }) => heard.push(`second ${uid}`))
      const answer = await post({ type: 'SEND', send: { evt: 'hi' } })
      assert.deepEqual([answer.status, answer.json], [200, 'owner got hi'])
      assert.equal((await post({ type: 'JOIN', join: { rid: 'lobby' } })).status, 204)
      assert.deepEqual(heard, ['first alice', 'first alice'])
      await second.comet.publish({ rid: 'lobby', evt: 'hi all' })
      assert.equal((await alice.next('message')).data, 'hi all')
      assert.equal((await post({ type: 'BYE' })).status, 204)
      assert.equal(await alice.ended, true)
    })

    it('is refused as it would be there', async () => {
      const { first, second, alice, post } = await cluster({})
      assert.equal((await postPacket(second, 'mallory', alice.sid, { type: 'HB' })).status, 403)
      const refused = await post({ type: 'JOIN', join: { rid: 'lobby' } })
      assert.deepEqual([refused.status, refused.json.error.code], [403, 'ROOM_REFUSED'])
      await first.comet.disconnect({ uid: 'alice' })
      assert.equal((await post({ type: 'HB' })).status, 404)
    })

    for (const parser of parsersOf(adapter)) {
      it(`is answered with 503 when the owner does not answer in time, with ${parser.name}, and others are served`, async () => {
        const onMessage = () => new Promise(() => {})
        const { first, second, alice } = await cluster({ onMessage }, { commandTimeout: 50 }, parser.before)
        const late = await supertest(second.origin, { http2: second.http2 })
          .post(`/comet/${alice.sid}`)
          .set('x-user', 'alice')
          .send({ type: 'SEND', send: { evt: 'hi' } })
        assert.deepEqual([late.status, late.body.error.code], [503, 'OWNER_UNREACHABLE'])
        const bob = await connect(first, 'bob')
        assert.equal((await postPacket(second, 'bob', bob.sid, { type: 'HB' })).status, 204)
      })
    }

    it('is answered with 404 when the owner has closed', async () => {
      const { first, post } = await cluster({})
      await first.comet.close()
      assert.equal((await post({ type: 'HB' })).status, 404)
    })
  })
}
