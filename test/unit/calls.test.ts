import assert from 'node:assert/strict'
import { Comet, CometError, type CometOptions } from '../../lib/index.ts'
import { closeComets, connect, makeComet } from '../support/comets.ts'
import '../support/process-guard.ts'

/** Accepts anything, because JavaScript callers may pass anything. */
// biome-ignore lint/suspicious/noExplicitAny: the test passes wrong types on purpose
type Any = any

const own = new Error('a getter of the app')
const throwing = (name: string) =>
  Object.defineProperty({}, name, {
    enumerable: true,
    get: () => {
      throw own
    },
  })
const hostile = new Proxy(
  {},
  {
    ownKeys: () => {
      throw own
    },
  },
)

/** What no call takes for its options. */
const NO_OPTIONS = [
  null,
  'options',
  7,
  true,
  [],
  () => {},
  new Map(),
  new Date(),
  Promise.resolve(),
  { odd: 1 },
]

/** What no call takes for a target. */
const NO_TARGETS = [
  undefined,
  null,
  'lobby',
  7,
  [],
  () => {},
  new Map(),
  { user: 'x' },
  { uid: '' },
  { rid: null },
]

describe('Every call of Comet', () => {
  afterEach(closeComets)

  const make = (options?: CometOptions): Any => {
    const { comet } = makeComet(options)
    comet.on('error', () => {})
    return comet
  }

  it('refuses options that it does not have: history, close, disconnect and publish', async () => {
    const comet = make()
    for (const options of NO_OPTIONS) {
      const refusal = { name: 'CometError', code: 'INVALID_OPTION' }
      assert.throws(() => comet.history({}, options), refusal)
      await assert.rejects(comet.close(options), refusal)
      await assert.rejects(comet.disconnect({ uid: 'alice' }, options), refusal)
      await assert.rejects(comet.publish({ evt: '' }, options), { code: 'INVALID_EVENT' })
    }
    assert.equal(await comet.isOnline('alice'), false)
  })

  it('refuses options with a wrong value', async () => {
    const comet = make()
    for (const limit of [Number.NaN, -1, 1.5, '5', null, 5n, Number.NEGATIVE_INFINITY, {}]) {
      assert.throws(() => comet.history({}, { limit }), { code: 'INVALID_OPTION', message: /limit/ })
    }
    for (const drain of [Number.NaN, -1, '5', null, 5n, Number.POSITIVE_INFINITY]) {
      await assert.rejects(comet.close({ drain }), { code: 'INVALID_OPTION', message: /drain/ })
    }
    for (const reason of [null, 10n, 7, {}, Symbol('x')]) {
      const call = comet.disconnect({ uid: 'alice' }, { reason })
      await assert.rejects(call, { code: 'INVALID_OPTION', message: /reason/ })
    }
    for (const reconnect of [null, 1, 'true']) {
      const call = comet.disconnect({ uid: 'alice' }, { reconnect })
      await assert.rejects(call, { code: 'INVALID_OPTION', message: /reconnect/ })
    }
  })

  it('suggests the nearest name', async () => {
    const comet = make()
    await assert.rejects(comet.disconnect({ uid: 'alice' }, { reconect: true }), {
      message: 'There is no option "reconect". Did you mean reconnect?',
    })
    assert.throws(() => comet.history({}, { limt: 1 }), { message: /Did you mean limit\?$/ })
    await assert.rejects(comet.close({ drian: 1 }), { message: /Did you mean drain\?$/ })
    await assert.rejects(comet.publish({ evt: '' }, { transiet: true }), {
      message: /Did you mean transient\?$/,
    })
    await assert.rejects(comet.publish({ evt: { dta: 1 } }), { message: /Did you mean data\?$/ })
    assert.throws(() => comet.on('onlin', () => {}), { message: /Did you mean online\?$/ })
    assert.throws(() => comet.off('offlin', () => {}), { message: /Did you mean offline\?$/ })
  })

  it('refuses what is no target: history, disconnect, enter and leave', async () => {
    const comet = make()
    for (const target of NO_TARGETS) {
      assert.throws(() => comet.history(target), { name: 'CometError', code: 'INVALID_TARGET' })
      await assert.rejects(comet.disconnect(target), { name: 'CometError', code: 'INVALID_ID' })
      await assert.rejects(comet.enter(target, 'den'), { name: 'CometError', code: 'INVALID_ID' })
      await assert.rejects(comet.leave(target, 'den'), { name: 'CometError', code: 'INVALID_ID' })
    }
  })

  it('refuses what is no id, and hints at objects such as an ObjectId', async () => {
    const comet = make()
    for (const id of [undefined, null, '', 1.5, Number.NaN, true, [], () => {}, Symbol('x'), 'a\nb']) {
      const refusal = { name: 'CometError', code: 'INVALID_ID' }
      assert.throws(() => comet.heard(id), refusal)
      await assert.rejects(comet.isOnline(id), refusal)
      await assert.rejects(comet.members(id), refusal)
      await assert.rejects(comet.count(id), refusal)
      await assert.rejects(comet.enter({ uid: 'alice' }, id), refusal)
      await assert.rejects(comet.leave({ uid: 'alice' }, id), refusal)
    }
    const objectId = { toString: () => '507f1f77bcf86cd799439011' }
    const message = /give String\(id\)/
    assert.throws(() => comet.heard(objectId), { message })
    await assert.rejects(comet.members(objectId), { message })
    await assert.rejects(comet.enter({ uid: objectId }, 'den'), { message })
    await assert.rejects(comet.publish({ rid: objectId, evt: '' }), { message })
    await assert.rejects(comet.publish({ evt: '' }, { except: { uid: objectId } }), { message })
  })

  it('refuses a name that is no hook, and a listener that is no function: on, once and off', () => {
    const comet = make()
    for (const method of ['on', 'once', 'off']) {
      for (const name of ['onlin', '', undefined, null, 10n, Symbol('x'), {}, ['online']]) {
        assert.throws(() => comet[method](name, () => {}), { name: 'CometError', code: 'INVALID_OPTION' })
      }
      for (const listener of [undefined, null, {}, 'x']) {
        assert.throws(() => comet[method]('online', listener), { name: 'CometError', code: 'INVALID_OPTION' })
      }
    }
  })

  it('throws what a getter or a proxy of the app throws, and goes on', async () => {
    const comet = make()
    for (const value of [throwing('uid'), throwing('rid'), hostile]) {
      assert.throws(
        () => comet.history(value),
        (error: Any) => error === own || error.cause === own,
      )
      await assert.rejects(comet.publish(value), Error)
      await assert.rejects(comet.disconnect(value), Error)
      await assert.rejects(comet.enter(value, 'den'), Error)
    }
    await assert.rejects(comet.close(throwing('drain')), own)
    assert.throws(() => comet.history({}, throwing('limit')), own)
    assert.throws(() => new Comet(throwing('broker')), own)
    await connect(comet, 'alice')
  })

  it('asks a getter of a target once, and takes no other answer for the world: history', async () => {
    const comet = make()
    await comet.publish({ evt: 'to the world' })
    let calls = 0
    const target = {
      get uid() {
        calls += 1
        return calls === 1 ? 'alice' : []
      },
    }
    assert.deepEqual(comet.history(target), [])
    assert.equal(calls, 1)
  })

  it("names the option that is wrong: the 'after' of members", async () => {
    const comet = make()
    for (const after of [null, '', {}]) {
      await assert.rejects(comet.members('den', { after }), { code: 'INVALID_ID', message: /^after must/ })
    }
  })

  it("catches an async keepHistory that rejects: 'error' hears of it, and the event is not stored", async () => {
    const { comet } = makeComet({ keepHistory: (async () => Promise.reject(own)) as Any })
    const errors: Error[] = []
    comet.on('error', (error) => errors.push(error))
    await comet.publish({ rid: 'lobby', evt: 'x' })
    await new Promise(setImmediate)
    const [wrong, ...others] = errors
    assert.match(String(wrong), /keepHistory answered must be a plain object, not a Promise/)
    assert.deepEqual(others, [own])
    assert.deepEqual(comet.history({ rid: 'lobby' }), [])
  })

  it('takes integers for rooms, and gives strings', async () => {
    const asked: unknown[] = []
    const comet = make({
      canEnter: ({ rid }) => {
        asked.push(rid)
        return true
      },
    })
    const alice = await connect(comet, { uid: 7, rooms: [1, 2n] }, '3')
    assert.deepEqual(alice.control('ready')?.rooms, ['1', '2', '3'])
    assert.deepEqual(asked, ['3'])
    assert.equal(await comet.enter({ uid: 7 }, 4), true)
    assert.equal(await comet.enter({ sid: alice.sid }, 5n), true)
    assert.deepEqual(await comet.members(4), [{ uid: '7' }])
    assert.equal(await comet.count(5), 1)
    await comet.publish({ rid: 4, evt: 'x' })
    await comet.publish({ rid: 4, evt: 'y' }, { except: { uid: 7 } })
    assert.deepEqual(comet.history({ rid: 4n }, { limit: 1 })[0].evt, 'y')
    assert.equal(await comet.leave({ uid: 7 }, 4), true)
    assert.equal(await comet.disconnect({ rid: 1 }), 1)
    assert.deepEqual(alice.published, ['x'])
  })

  it('names the codes to use when an app throws a CometError with one of its own', () => {
    for (const code of ['TOO_LONG', 'toString', '', undefined, 7]) {
      const message = /^There is no error code .*use FORBIDDEN or INVALID_FIELD\.$/
      assert.throws(() => new CometError(code as never, 'x'), { code: 'INVALID_OPTION', message })
    }
    assert.equal(new CometError('FORBIDDEN').message, 'This is not allowed.')
  })

  it('has no client status when it fails for what the app did', async () => {
    const comet = make({ maxEventBytes: 10 })
    const calls: (() => unknown)[] = [
      () => comet.publish({ uid: undefined, evt: '' }),
      () => comet.publish({ evt: 'x'.repeat(11) }),
      () => comet.publish({ evt: { time: 1 } }),
      () => comet.publish({ evt: '' }, { except: { uid: '' } }),
      () => comet.enter({ uid: '' }, 'den'),
      () => comet.leave({ uid: 'alice' }, undefined),
      () => comet.disconnect({}),
      () => comet.isOnline(undefined),
      () => comet.members(''),
      () => comet.count({}),
      () => comet.history('lobby'),
      () => comet.heard(null),
      () => comet.members('lobby', { limit: 0 }),
      () => comet.history({}, { limit: -1 }),
      () => comet.disconnect({ uid: 'alice' }, { reason: 1 }),
      () => comet.close({ drain: -1 }),
      () => comet.on('gone', () => {}),
      () => comet.session(7),
      () => comet.publishAll({}, 'text', { event: 'x' }),
    ]
    for (const call of calls) {
      await assert.rejects(
        async () => await call(),
        (error: CometError) => {
          assert.ok(error instanceof CometError)
          assert.equal(error.status, undefined, error.code)
          return true
        },
      )
    }
    await assert.rejects(connect(comet, 'alice', 'a\nb'), { code: 'INVALID_ID', status: 400 })
  })
})
