import assert from 'node:assert/strict'
import type { CometOptions } from '../../lib/index.ts'
import { nodeHttp, startApp, type TestApp, untilSessions } from '../support/apps.ts'
import { connect, openStream, postPacket } from '../support/clients.ts'
import { until } from '../support/inbox.ts'
import '../support/process-guard.ts'

const HOOKS = ['activity', 'online', 'enter', 'heard', 'message', 'leave', 'offline'] as const

const fail = (): never => {
  throw new Error('the hook failed')
}

/** What an app may throw instead of an Error. */
const oddities: [name: string, thrown: unknown][] = [
  ['undefined', undefined],
  ['null', null],
  ['a string', 'oops'],
  ['a symbol', Symbol('oops')],
  ['an object without a prototype', Object.create(null)],
]

describe('Functions of the app that fail', () => {
  let app: TestApp

  const start = async (comet: CometOptions = {}) => {
    app = await startApp(nodeHttp, { comet: { canEnter: () => true, offlineGrace: 0, ...comet } })
    return app
  }
  afterEach(() => app.close())

  /** Alice does what a client can do, while bob listens. @returns the status of her SEND */
  const useAll = async () => {
    const bob = await connect(app, 'bob', { path: '?rid=lobby' })
    const alice = await connect(app, 'alice', { path: '?rid=lobby' })
    const sent = await postPacket(app, 'alice', alice.sid, { type: 'SEND', send: { evt: 'hi' } })
    await app.comet.publish({ rid: 'lobby', evt: 'to the lobby' })
    assert.equal((await alice.next('message')).data, 'to the lobby')
    assert.equal((await bob.next('message')).data, 'to the lobby')
    assert.equal((await postPacket(app, 'alice', alice.sid, { type: 'BYE' })).status, 204)
    assert.equal(await alice.ended, true)
    await untilSessions(app, 1)
    return sent.status
  }

  describe('hooks', () => {
    for (const [how, hook] of [
      ['throw', fail],
      ['reject', async () => fail()],
    ] as const) {
      it(`harm nobody when they ${how}, and each failure is emitted to 'error'`, async () => {
        const { comet, errors } = await start()
        for (const name of HOOKS) comet.on(name, hook)
        assert.equal(await useAll(), 204)
        // Bob's and alice's ONLINE and ENTER_ROOM, alice's two HEARD, LEAVE_ROOM and OFFLINE, each twice; the message.
        await until(
          () => errors.length >= 17,
          () => `17 errors, but ${errors.length}`,
        )
        assert.deepEqual(new Set(errors.map(String)), new Set(['Error: the hook failed']))
        assert.equal(errors.length, 17)
      })
    }

    it('are called also after one that throws', async () => {
      const { comet } = await start()
      const online: string[] = []
      comet.on('online', fail)
      comet.on('online', ({ uid }) => online.push(uid))
      await useAll()
      assert.deepEqual(online, ['bob', 'alice'])
    })

    for (const [name, thrown] of oddities) {
      it(`harm nobody when they throw ${name}, and an Error is emitted to 'error'`, async () => {
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
        assert.equal(await useAll(), 500)
        assert.ok(errors.length > 0)
        assert.ok(errors.every((error) => error instanceof Error))
      })
    }
  })

  describe('onMessage', () => {
    it('answers 500 without its message when it fails, and the stream goes on', async () => {
      const { comet, errors } = await start({ onMessage: async () => fail() })
      const alice = await connect(app, 'alice')
      const packet = { type: 'SEND', send: { evt: 'hi' } }
      const { status, json } = await postPacket(app, 'alice', alice.sid, packet)
      assert.deepEqual([status, json.error], [500, { code: 'INTERNAL', message: 'onMessage failed.' }])
      assert.deepEqual(errors.map(String), ['Error: the hook failed'])
      await comet.publish({ evt: 'hi' })
      assert.equal((await alice.next('message')).data, 'hi')
    })

    it('fails when its answer is no JSON, and may answer nothing', async () => {
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
      const { sid } = await connect(app, 'alice')
      const statuses: Record<string, number> = {}
      for (const evt of Object.keys(answers)) {
        statuses[evt] = (await postPacket(app, 'alice', sid, { type: 'SEND', send: { evt } })).status
      }
      assert.deepEqual(statuses, { big: 500, loop: 500, function: 204, nothing: 204, null: 200 })
      assert.equal(errors.length, 2)
    })
  })

  describe('canEnter', () => {
    it('ends a stream to come back later when it fails for one room, and answers 500 to a JOIN', async () => {
      const { comet, errors } = await start({ canEnter: ({ rid }) => (rid === 'broken' ? fail() : true) })
      const away = await openStream(app, { path: '?rid=broken&rid=lobby', headers: { 'x-user': 'alice' } })
      assert.equal(away.status, 200)
      const { event, data } = await away.next()
      assert.deepEqual([event, JSON.parse(data).code], ['comet.close', 'UNAVAILABLE'])
      const { sid } = await connect(app, 'alice', { path: '?rid=lobby' })
      const { status, json } = await postPacket(app, 'alice', sid, { type: 'JOIN', join: { rid: 'broken' } })
      assert.deepEqual([status, json.error.code], [500, 'INTERNAL'])
      assert.deepEqual(errors.map(String), ['Error: the hook failed', 'Error: the hook failed'])
      assert.deepEqual(comet.dump().sessions[0]?.rooms, ['lobby'])
    })

    for (const answer of ['yes', 1, {}, null, undefined]) {
      it(`refuses with the answer ${JSON.stringify(answer)}`, async () => {
        await start({ canEnter: ((): unknown => answer) as () => boolean })
        const { sid } = await connect(app, 'alice')
        const { status } = await postPacket(app, 'alice', sid, { type: 'JOIN', join: { rid: 'lobby' } })
        assert.equal(status, 403)
      })
    }
  })
})
