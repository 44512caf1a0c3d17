import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import type { CometOptions } from '../../lib/index.ts'
import { nodeHttp, startApp, type TestApp } from '../support/apps.ts'
import { connect, openStream, postPacket, request } from '../support/clients.ts'
import '../support/process-guard.ts'

/** Ids of 255, 256 and 257 bytes, and whether they are allowed. */
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

describe('Limits of sizes and rates', () => {
  let app: TestApp

  const start = async (options: CometOptions = {}) => {
    app = await startApp(nodeHttp, { comet: { canEnter: () => true, ...options } })
  }
  afterEach(() => app.close())

  describe('maxIdBytes', () => {
    for (const [what, id, allowed] of ids) {
      it(`${allowed ? 'allows' : 'refuses'} a uid, rid or clientId of ${what}`, async () => {
        await start()
        const text = encodeURIComponent(id)
        const { sid } = await connect(app, 'bob')
        for (const path of [`?u=bob&rid=${text}`, `?u=bob&clientId=${text}`]) {
          const { status, destroy } = await openStream(app, { path })
          destroy()
          assert.equal(status, allowed ? 200 : 400, path)
        }
        const { status } = await postPacket(app, 'bob', sid, { type: 'JOIN', join: { rid: id } })
        assert.equal(status, allowed ? 204 : 400)
        assert.deepEqual(app.failures, [])
        // A uid comes from the app, not from the client.
        const { status: own, destroy } = await openStream(app, { path: `?u=${text}` })
        destroy()
        assert.equal(own, allowed ? 200 : 500)
        const messages = app.failures.map((error) => (error as Error).message)
        const wrong = 'What identify answered is wrong: uid must have at most 256 bytes (option maxIdBytes).'
        assert.deepEqual(messages, allowed ? [] : [wrong])
      })
    }
  })

  describe('maxEventBytes', () => {
    it('refuses to publish what is larger, and nobody gets it', async () => {
      await start({ maxEventBytes: 100 })
      const { next } = await connect(app, 'alice')
      const tooLarge = ['x'.repeat(101), `${'é'.repeat(50)}x`, { event: 'chat', data: 'x'.repeat(100) }]
      for (const evt of tooLarge) {
        await assert.rejects(app.comet.publish({ uid: 'alice', evt }), {
          code: 'EVENT_TOO_LARGE',
          message: 'evt must have at most 100 bytes (option maxEventBytes).',
        })
      }
      for (const evt of ['x'.repeat(99), 'x'.repeat(100), 'é'.repeat(50)]) {
        await app.comet.publish({ uid: 'alice', evt })
        assert.equal((await next('message')).data, evt)
      }
    })

    it('is a megabyte by default, and refuses one byte more', async () => {
      await start()
      const { next } = await connect(app, 'alice')
      const evt = 'x'.repeat(1_048_576)
      await assert.rejects(app.comet.publish({ uid: 'alice', evt: `${evt}x` }), { code: 'EVENT_TOO_LARGE' })
      await app.comet.publish({ uid: 'alice', evt })
      const { data } = await next('message')
      assert.ok(data === evt)
    })
  })

  describe('maxPacketBytes', () => {
    for (const [limit, options] of [
      [65_536, {}],
      [100, { maxPacketBytes: 100 }],
    ] as const) {
      it(`takes a packet of ${limit} bytes, and answers 413 to a larger one`, async () => {
        const evts: string[] = []
        await start({ ...options, onMessage: ({ evt }) => void evts.push(evt) })
        const { sid } = await connect(app, 'alice')
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
          const answer = await request(app, { method: 'POST', path: `/${sid}`, headers, body })
          assert.equal(answer.status, status, `${Buffer.byteLength(body)} bytes`)
          if (status === 413) assert.equal(answer.json.error.code, 'PACKET_TOO_LARGE')
          assert.deepEqual(evts.slice(before), status === 204 ? [evt] : [])
        }
      })
    }
  })

  describe('packetRate', () => {
    let clock: FakeTimers.Clock

    beforeEach(() => {
      clock = FakeTimers.install({ toFake: ['performance'] })
    })
    afterEach(() => clock.uninstall())

    it('allows a burst of twice the rate, answers 429 with Retry-After to more, and takes packets again later', async () => {
      await start({ packetRate: 5 })
      const { sid } = await connect(app, 'alice')
      const other = await connect(app, 'alice')
      const bob = await connect(app, 'bob')
      const post = async (to = sid, user = 'alice') => await postPacket(app, user, to, { type: 'HB' })
      const statuses = async (count: number) => {
        const all: number[] = []
        for (let sent = 0; sent < count; sent += 1) all.push((await post()).status)
        return all
      }
      assert.deepEqual(await statuses(12), [...Array(10).fill(204), 429, 429])
      const { headers, json } = await post()
      assert.deepEqual([headers['retry-after'], json.error.code], ['1', 'TOO_MANY_PACKETS'])
      assert.equal((await post(other.sid)).status, 204)
      assert.equal((await post(bob.sid, 'bob')).status, 204)
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

function sendOf(evt: string) {
  return { type: 'SEND', send: { evt } }
}
