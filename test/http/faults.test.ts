import assert from 'node:assert/strict'
import type { CometOptions } from '../../lib/index.ts'
import { connect, openStream, postPacket } from '../support/clients.ts'
import { adapters, type Host } from '../support/http.ts'
import { until } from '../support/inbox.ts'
import '../support/process-guard.ts'

const HOOKS = ['activity', 'online', 'enter', 'heard', 'message', 'leave', 'offline'] as const

const fail = (): never => {
  throw new Error('the hook failed')
}

/** What code of a host may throw, Errors aside. */
const oddities: [name: string, thrown: unknown][] = [
  ['undefined', undefined],
  ['null', null],
  ['a string', 'oops'],
  ['a symbol', Symbol('oops')],
  ['an object without a prototype', Object.create(null)],
]

for (const adapter of adapters) {
  describe(`When code of the host fails behind ${adapter.name}`, () => {
    let host: Host | undefined

    const start = async (comet: CometOptions = {}) => {
      host = await adapter.host({ comet: { canEnter: () => true, offlineGrace: 0, ...comet } })
      return host
    }
    afterEach(() => host?.close())

    /** Alice does all there is to do, while bob listens. */
    const useAll = async (at: Host) => {
      const bob = await connect(at, 'bob', { path: '?rid=lobby' })
      const alice = await connect(at, 'alice', { path: '?rid=lobby' })
      const sent = await postPacket(at, 'alice', alice.sid, { type: 'SEND', send: { evt: 'hi' } })
      await at.comet.publish({ rid: 'lobby', evt: 'to the lobby' })
      assert.equal((await alice.next('message')).data, 'to the lobby')
      assert.equal((await bob.next('message')).data, 'to the lobby')
      assert.equal((await postPacket(at, 'alice', alice.sid, { type: 'BYE' })).status, 204)
      assert.equal(await alice.ended, true)
      await until(() => at.comet.stats().sessions === 1, 'gone')
      return sent.status
    }

    for (const [how, hook] of [
      ['throw', fail],
      ['reject', async () => fail()],
    ] as const) {
      it(`hooks that ${how} harm nobody, and each failure is an error`, async () => {
        const { comet, errors } = await start()
        for (const name of HOOKS) comet.on(name, hook)
        assert.equal(await useAll(host as Host), 204)
        // Bob's and alice's ONLINE and ENTER_ROOM, alice's two HEARD, LEAVE_ROOM and OFFLINE, each twice; the message.
        await until(
          () => errors.length >= 17,
          () => `17 errors, but ${errors.length}`,
        )
        assert.deepEqual(new Set(errors.map(String)), new Set(['Error: the hook failed']))
        assert.equal(errors.length, 17)
      })
    }

    it('a hook that throws does not keep later ones from hearing', async () => {
      const { comet } = await start()
      const heard: string[] = []
      comet.on('online', fail)
      comet.on('online', ({ uid }) => heard.push(uid))
      await useAll(host as Host)
      assert.deepEqual(heard, ['bob', 'alice'])
    })

    for (const [name, thrown] of oddities) {
      it(`whoever throws ${name} harms nobody, and an Error is heard`, async () => {
        const { comet, errors } = await start({
          onMessage: () => {
            throw thrown
          },
        })
        for (const each of HOOKS) {
          comet.on(each, () => {
            throw thrown
          })
        }
        assert.equal(await useAll(host as Host), 500)
        assert.ok(errors.length > 0)
        assert.ok(errors.every((error) => error instanceof Error))
      })
    }

    it('an onMessage that fails answers 500 without its words, and does not end the stream', async () => {
      const { errors } = await start({ onMessage: async () => fail() })
      const at = host as Host
      const alice = await connect(at, 'alice')
      const { status, json } = await postPacket(at, 'alice', alice.sid, { type: 'SEND', send: { evt: 'hi' } })
      assert.deepEqual([status, json.error], [500, { code: 'INTERNAL', message: 'onMessage failed.' }])
      assert.deepEqual(errors.map(String), ['Error: the hook failed'])
      await at.comet.publish({ evt: 'hi' })
      assert.equal((await alice.next('message')).data, 'hi')
    })

    it('an answer of onMessage that is no JSON is an error, and no answer at all is none', async () => {
      const loop: { self?: unknown } = {}
      loop.self = loop
      const answers: Record<string, unknown> = {
        big: 1n,
        loop,
        function: fail,
        nothing: undefined,
        null: null,
      }
      const { errors } = await start({ onMessage: ({ evt }) => answers[evt] })
      const at = host as Host
      const { sid } = await connect(at, 'alice')
      const statuses: Record<string, number> = {}
      for (const evt of Object.keys(answers)) {
        statuses[evt] = (await postPacket(at, 'alice', sid, { type: 'SEND', send: { evt } })).status
      }
      assert.deepEqual(statuses, { big: 500, loop: 500, function: 204, nothing: 204, null: 200 })
      assert.equal(errors.length, 2)
    })

    it('a canEnter that fails for one room sends away for now, and JOIN is answered with 500', async () => {
      const { errors } = await start({ canEnter: ({ rid }) => (rid === 'broken' ? fail() : true) })
      const at = host as Host
      const away = await openStream(at, { path: '?rid=broken&rid=lobby', headers: { 'x-user': 'alice' } })
      assert.equal(away.status, 200)
      const { event, data } = await away.next()
      assert.deepEqual([event, JSON.parse(data).code], ['comet.close', 'UNAVAILABLE'])
      const { sid } = await connect(at, 'alice', { path: '?rid=lobby' })
      const { status, json } = await postPacket(at, 'alice', sid, { type: 'JOIN', join: { rid: 'broken' } })
      assert.deepEqual([status, json.error.code], [500, 'INTERNAL'])
      assert.deepEqual(errors.map(String), ['Error: the hook failed', 'Error: the hook failed'])
      assert.deepEqual(at.comet.dump().sessions[0]?.rooms, ['lobby'])
    })

    for (const answer of ['yes', 1, {}, null, undefined]) {
      it(`a canEnter that answers ${JSON.stringify(answer)} lets nobody in`, async () => {
        await start({ canEnter: ((): unknown => answer) as () => boolean })
        const at = host as Host
        const { sid } = await connect(at, 'alice')
        assert.equal(
          (await postPacket(at, 'alice', sid, { type: 'JOIN', join: { rid: 'lobby' } })).status,
          403,
        )
      })
    }
  })
}
