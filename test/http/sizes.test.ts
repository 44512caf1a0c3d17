import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import type { CometOptions } from '../../lib/index.ts'
import { connect, openStream, postPacket, request } from '../support/clients.ts'
import { adapters, type Host } from '../support/http.ts'
import '../support/process-guard.ts'

/** Ids of 255, 256 and 257 bytes, and whether they may be. */
const ids = [
  ['255 letters', 'x'.repeat(255), true],
  ['256 letters', 'x'.repeat(256), true],
  ['257 letters', 'x'.repeat(257), false],
  ['128 letters of two bytes', 'é'.repeat(128), true],
  ['128 letters of two bytes and one more', `${'é'.repeat(128)}x`, false],
  ['64 emoji', '🦊'.repeat(64), true],
  ['64 emoji and one more letter', `${'🦊'.repeat(64)}x`, false],
  ['85 letters of three bytes and one more', `${'€'.repeat(85)}x`, true],
] as const

for (const adapter of adapters) {
  describe(`Limits of sizes and rates behind ${adapter.name}`, () => {
    let host: Host

    const start = async (options: CometOptions = {}) => {
      host = await adapter.host({ comet: { canEnter: () => true, ...options } })
    }
    afterEach(() => host.close())

    for (const [what, id, allowed] of ids) {
      it(`maxIdBytes: ${what} may ${allowed ? '' : 'not '}be a uid, rid or clientId`, async () => {
        await start()
        const text = encodeURIComponent(id)
        const { sid } = await connect(host, 'bob')
        for (const path of [`?u=bob&rid=${text}`, `?u=bob&clientId=${text}`]) {
          const { status, destroy } = await openStream(host, { path })
          destroy()
          assert.equal(status, allowed ? 200 : 400, path)
        }
        const { status } = await postPacket(host, 'bob', sid, { type: 'JOIN', join: { rid: id } })
        assert.equal(status, allowed ? 204 : 400)
        assert.deepEqual(host.failures, [])
        // A uid is the host's own, not the client's.
        const { status: own, destroy } = await openStream(host, { path: `?u=${text}` })
        destroy()
        assert.equal(own, allowed ? 200 : 500)
        const told = host.failures.map((error) => (error as Error).message)
        assert.deepEqual(
          told,
          allowed
            ? []
            : ['What identify answered is wrong: uid must have at most 256 bytes (option maxIdBytes).'],
        )
      })
    }

    it('maxEventBytes: what is larger is refused and reaches nobody', async () => {
      await start({ maxEventBytes: 100 })
      const { next } = await connect(host, 'alice')
      const tooLarge = ['x'.repeat(101), `${'é'.repeat(50)}x`, { event: 'chat', data: 'x'.repeat(100) }]
      for (const evt of tooLarge) {
        await assert.rejects(host.comet.publish({ uid: 'alice', evt }), {
          code: 'EVENT_TOO_LARGE',
          message: 'evt must have at most 100 bytes (option maxEventBytes).',
        })
      }
      for (const evt of ['x'.repeat(99), 'x'.repeat(100), 'é'.repeat(50)]) {
        await host.comet.publish({ uid: 'alice', evt })
        assert.equal((await next('message')).data, evt)
      }
    })

    it('maxEventBytes: a megabyte passes by default, and one byte more does not', async () => {
      await start()
      const { next } = await connect(host, 'alice')
      const evt = 'x'.repeat(1_048_576)
      await assert.rejects(host.comet.publish({ uid: 'alice', evt: `${evt}x` }), { code: 'EVENT_TOO_LARGE' })
      await host.comet.publish({ uid: 'alice', evt })
      const { data } = await next('message')
      assert.ok(data === evt)
    })

    for (const [limit, options] of [
      [65_536, {}],
      [100, { maxPacketBytes: 100 }],
    ] as const) {
      it(`maxPacketBytes: a packet of ${limit} bytes passes, a larger one gets 413`, async () => {
        const evts: string[] = []
        await start({ ...options, onMessage: ({ evt }) => void evts.push(evt) })
        const { sid } = await connect(host, 'alice')
        const around = Buffer.byteLength(JSON.stringify(sendOf('')))
        const headers = { 'content-type': 'application/json', 'x-user': 'alice' }
        for (const [evt, status] of [
          ['x'.repeat(limit - around - 1), 204],
          ['x'.repeat(limit - around), 204],
          ['x'.repeat(limit - around + 1), 413],
          [`${'é'.repeat((limit - around) / 2)}`, 204],
          [`${'é'.repeat((limit - around) / 2)}x`, (limit - around) % 2 === 0 ? 413 : 204],
          ['x'.repeat(4 * limit), 413],
        ] as const) {
          const before = evts.length
          const body = JSON.stringify(sendOf(evt))
          const answer = await request(host, { method: 'POST', path: `/${sid}`, headers, body })
          assert.equal(answer.status, status, `${Buffer.byteLength(body)} bytes`)
          if (status === 413) assert.equal(answer.json.error.code, 'PACKET_TOO_LARGE')
          assert.deepEqual(evts.slice(before), status === 204 ? [evt] : [])
        }
      })
    }

    describe('packetRate', () => {
      let clock: FakeTimers.Clock

      beforeEach(() => {
        clock = FakeTimers.install({ toFake: ['performance'] })
      })
      afterEach(() => clock.uninstall())

      it('lets a burst of twice the rate pass, answers the next 429, and passes others later', async () => {
        await start({ packetRate: 5 })
        const { sid } = await connect(host, 'alice')
        const other = await connect(host, 'alice')
        const post = async (to = sid) => await postPacket(host, 'alice', to, { type: 'HB' })
        const statuses = async (count: number) => {
          const all: number[] = []
          for (let sent = 0; sent < count; sent += 1) all.push((await post()).status)
          return all
        }
        assert.deepEqual(await statuses(12), [...Array(10).fill(204), 429, 429])
        const { headers, json } = await post()
        assert.deepEqual([headers['retry-after'], json.error.code], ['1', 'TOO_MANY_PACKETS'])
        assert.equal((await post(other.sid)).status, 204)
        clock.tick(199)
        assert.deepEqual(await statuses(1), [429])
        clock.tick(1)
        assert.deepEqual(await statuses(2), [204, 429])
        clock.tick(1_000)
        assert.deepEqual(await statuses(6), [...Array(5).fill(204), 429])
        clock.tick(60_000)
        assert.deepEqual(await statuses(11), [...Array(10).fill(204), 429])
      })
    })
  })
}

function sendOf(evt: string) {
  return { type: 'SEND', send: { evt } }
}
