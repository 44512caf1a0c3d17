import assert from 'node:assert/strict'
import { checkIdentity, type Identified } from '../../../lib/session/identity.ts'

/** Accepts anything, because JavaScript apps may answer anything. */
const check = (identified: unknown, maxIdBytes = 256) => checkIdentity(identified as Identified, maxIdBytes)

describe('checkIdentity', () => {
  it('accepts a uid', () => {
    const alice = { uid: 'alice', anonymous: false, rooms: [], info: undefined, expiresAt: undefined }
    assert.deepEqual(check('alice'), alice)
  })

  it('accepts a number or a bigint in decimal, also 0', () => {
    assert.equal(check(42).uid, '42')
    assert.equal(check(0).uid, '0')
    assert.equal(check(2n ** 64n).uid, '18446744073709551616')
    assert.equal(check({ uid: 0 }).uid, '0')
  })

  it('accepts a uid with rooms and info', () => {
    const info = { name: 'Alice' }
    const identity = check({ uid: 'alice', rooms: ['b', 'a'], info })
    assert.deepEqual(identity, {
      uid: 'alice',
      anonymous: false,
      rooms: ['b', 'a'],
      info,
      expiresAt: undefined,
    })
    assert.equal(check({ uid: 'alice', info: null }).info, null)
    assert.equal(check({ uid: 'alice', info: undefined }).info, undefined)
  })

  it('accepts an anonymous client with rooms, info and expiresAt, but without a uid', () => {
    const expiresAt = Date.now() + 1_000
    const details = { rooms: ['jobs', 7], info: { page: '/jobs' }, expiresAt }
    const { uid, ...identity } = check({ anonymous: true, ...details })
    assert.match(uid, /^anonymous\./)
    assert.deepEqual(identity, { anonymous: true, rooms: ['jobs', '7'], info: { page: '/jobs' }, expiresAt })
    assert.equal(check({ anonymous: true, uid: undefined }).anonymous, true)
    assert.equal(check({ uid: 'alice', expiresAt: null }).expiresAt, undefined)
    const message = /an anonymous client has no uid/
    assert.throws(() => check({ anonymous: true, uid: 'alice' }), { code: 'INVALID_IDENTITY', message })
    assert.throws(() => check({ anonymous: true, rooms: 'jobs' }), { code: 'INVALID_IDENTITY' })
    assert.throws(() => check({ anonymous: true, expiresAt: Date.now() - 1 }), { code: 'UNAUTHENTICATED' })
  })

  it('copies the info as JSON, so that later changes of it have no effect', () => {
    const info = { name: 'Alice', since: new Date(0), tags: ['a'], secret: undefined }
    const identity = check({ uid: 'alice', info })
    info.tags.push('b')
    assert.deepEqual(identity.info, { name: 'Alice', since: '1970-01-01T00:00:00.000Z', tags: ['a'] })
  })

  it('throws INVALID_IDENTITY for info that is not JSON', () => {
    const circular: { self?: object } = {}
    circular.self = circular
    for (const info of [circular, { count: 10n }]) {
      assert.throws(() => check({ uid: 'alice', info }), {
        code: 'INVALID_IDENTITY',
        message: /^What identify answered is wrong: info is not JSON: /,
      })
    }
  })

  it('gives each anonymous client a random uid', () => {
    const [first, second] = [check({ anonymous: true }), check({ anonymous: true })]
    const { uid } = second
    assert.deepEqual(second, { uid, anonymous: true, rooms: [], info: undefined, expiresAt: undefined })
    assert.notEqual(first.uid, uid)
  })

  it('treats a client as anonymous only with anonymous: true', () => {
    assert.equal(check({ anonymous: false, uid: 'alice' }).anonymous, false)
    for (const anonymous of [false, 'yes', 1]) {
      assert.throws(() => check({ anonymous }), { name: 'CometError', code: 'INVALID_IDENTITY' })
    }
  })

  it('throws UNAUTHENTICATED for nothing, or nothing as the uid', () => {
    for (const nothing of [undefined, null, false, '']) {
      for (const answer of [nothing, { uid: nothing }, { uid: nothing, rooms: ['a'] }]) {
        assert.throws(() => check(answer), { name: 'CometError', code: 'UNAUTHENTICATED', status: 401 })
      }
    }
  })

  // A 401 would look like a user that is signed out, and hide that identify is wrong for all users.
  it('refuses an object that has no uid at all', () => {
    for (const answer of [{}, { id: 7 }, ['alice'], new Map([['uid', 'alice']]), Promise.resolve('alice')]) {
      assert.throws(() => check(answer), {
        name: 'CometError',
        code: 'INVALID_IDENTITY',
        status: 500,
        message: /^What identify answered is wrong: it must be a uid, .* not an (array|object)/,
      })
    }
  })

  it('refuses a malformed uid, and says how', () => {
    for (const [uid, problem] of [
      [true, 'must be a string, not a boolean'],
      [1.5, 'must be a safe integer, not 1.5'],
      ['a\r\nb', 'must not contain CR, LF or NUL'],
      ['\ud83d', 'must not contain a lone surrogate'],
      ['x'.repeat(257), 'must have at most 256 bytes (option maxIdBytes)'],
      [() => 'alice', 'must be a string, not a function'],
    ] as const) {
      for (const answer of [uid, { uid }]) {
        const message = `What identify answered is wrong: uid ${problem}.`
        assert.throws(() => check(answer), { name: 'CometError', code: 'INVALID_IDENTITY', message })
      }
    }
  })

  it('refuses malformed rooms, and says how', () => {
    for (const [rooms, problem] of [
      ['lobby', 'rooms must be an array of room ids, not a string'],
      [null, 'rooms must be an array of room ids, not null'],
      [new Set(['lobby']), 'rooms must be an array of room ids, not an object'],
      [['lobby', ''], 'rooms must not be empty'],
      [[undefined], 'rooms must be a string, not undefined'],
      [['a\nb'], 'rooms must not contain CR, LF or NUL'],
    ] as const) {
      const message = `What identify answered is wrong: ${problem}.`
      assert.throws(() => check({ uid: 'alice', rooms }), { code: 'INVALID_IDENTITY', message })
    }
  })

  it('applies maxIdBytes to the uid and the rooms', () => {
    assert.equal(check({ uid: 'x'.repeat(8), rooms: ['y'.repeat(8)] }, 8).uid, 'x'.repeat(8))
    assert.throws(() => check('x'.repeat(9), 8), { code: 'INVALID_IDENTITY', message: /at most 8 bytes/ })
    assert.throws(() => check({ uid: 'x', rooms: ['y'.repeat(9)] }, 8), { code: 'INVALID_IDENTITY' })
    assert.throws(() => check(10n ** 8n, 8), { code: 'INVALID_IDENTITY', message: /at most 8 bytes/ })
  })

  it('copies the rooms, which the app may change later', () => {
    const rooms = ['a']
    const identity = check({ uid: 'alice', rooms })
    rooms.push('b')
    assert.deepEqual(identity.rooms, ['a'])
  })
})
