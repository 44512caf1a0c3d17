import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { parseUserActivityEvent, stringifyUserActivityEvent, UserActivityEvent } from '../../../lib/index.ts'
import { anyText, int64 } from '../../support/arbitraries.ts'
import { runs } from '../../support/tier.ts'

const { Type } = UserActivityEvent

const TIME = 1700000000123456789n

describe('UserActivityEvent', () => {
  it('has no rid unless it is about a room', () => {
    for (const rid of [undefined, '']) {
      const event = new UserActivityEvent({ type: Type.ONLINE, uid: 'u1', rid, time: TIME })
      assert.equal('rid' in event, false)
    }
  })

  it('becomes JSON with its time as a decimal string', () => {
    const online = new UserActivityEvent({ type: Type.ONLINE, uid: 'u1', time: TIME })
    const enter = new UserActivityEvent({ type: Type.ENTER_ROOM, uid: 'u1', rid: 'r1', time: -1n })
    assert.equal(JSON.stringify(online), '{"type":1,"uid":"u1","time":"1700000000123456789"}')
    assert.equal(JSON.stringify({ a: [enter] }), '{"a":[{"type":4,"uid":"u1","rid":"r1","time":"-1"}]}')
  })

  it('can be read back from that JSON', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(Type)),
        fc.string(),
        fc.string(),
        int64,
        (type, uid, rid, time) => {
          const event = new UserActivityEvent({ type, uid, rid, time })
          assert.deepEqual(parseUserActivityEvent(JSON.stringify(event)), event)
        },
      ),
    )
  })

  it('is printed by inspect with its fields', () => {
    const event = new UserActivityEvent({ type: Type.HEARD, uid: 'u1', time: TIME })
    assert.equal(inspect(event), "UserActivityEvent { type: 3, uid: 'u1', time: 1700000000123456789n }")
  })
})

describe('parseUserActivityEvent and stringifyUserActivityEvent', () => {
  it('write byte for byte what Go writes, with numbers for type and time', () => {
    const online = { type: Type.ONLINE, uid: 'u1', time: TIME }
    const enter = { type: Type.ENTER_ROOM, uid: 'u1', rid: 'r<1>', time: TIME }
    assert.equal(stringifyUserActivityEvent(online), '{"type":1,"uid":"u1","time":1700000000123456789}')
    assert.equal(
      stringifyUserActivityEvent(enter),
      '{"type":4,"uid":"u1","rid":"r\\u003c1\\u003e","time":1700000000123456789}',
    )
  })

  it('write {} for an empty event, and read it back', () => {
    const empty = new UserActivityEvent({ type: Type.UNSPECIFIED, uid: '', time: 0n })
    assert.equal(stringifyUserActivityEvent(empty), '{}')
    assert.deepEqual(parseUserActivityEvent('{}'), empty)
    assert.deepEqual(parseUserActivityEvent('{"type":null,"uid":null,"rid":null,"time":null}'), empty)
  })

  it('round-trip any fields except lone surrogates', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(Type)),
        anyText,
        anyText,
        int64,
        (type, uid, rid, time) => {
          const text = stringifyUserActivityEvent(new UserActivityEvent({ type, uid, rid, time }))
          const wanted = { type, uid: uid.toWellFormed(), rid: rid.toWellFormed(), time }
          assert.deepEqual(parseUserActivityEvent(text), new UserActivityEvent(wanted))
        },
      ),
      runs(500),
    )
  })

  for (const [name, value] of Object.entries(Type)) {
    it(`read the type ${name} by name and by number`, () => {
      assert.equal(parseUserActivityEvent(`{"type":"${name}"}`).type, value)
      assert.equal(parseUserActivityEvent(`{"type":${value}}`).type, value)
    })
  }

  it('read an instance of UserActivityEvent, for hooks and logs', () => {
    const event = parseUserActivityEvent('{"type":"ONLINE","uid":"u1","time":"1700000000123456789","v":1}')
    assert.ok(event instanceof UserActivityEvent)
    assert.deepEqual(event, new UserActivityEvent({ type: Type.ONLINE, uid: 'u1', time: TIME }))
  })

  it('refuse an unknown type, and list the known ones', () => {
    const message = /^UserActivityEvent\.type must be one of UNSPECIFIED, ONLINE, .*LEAVE_ROOM or its number$/
    const unknown = [
      '6',
      '-1',
      '1.5',
      '"online"',
      '"1"',
      '""',
      'true',
      '[]',
      '{}',
      '"toString"',
      '"__proto__"',
    ]
    for (const type of unknown) {
      assert.throws(() => parseUserActivityEvent(`{"type":${type}}`), { code: 'INVALID_FIELD', message })
    }
    for (const type of [6, '1', {}, Number.NaN, 1n]) {
      const event = { type: type as UserActivityEvent.Type, uid: 'u1', time: TIME }
      assert.throws(() => stringifyUserActivityEvent(event), { code: 'INVALID_FIELD', message })
    }
  })

  it('refuse a uid or rid that is no string', () => {
    for (const name of ['uid', 'rid']) {
      const message = `UserActivityEvent.${name} must be a string, not a number`
      assert.throws(() => parseUserActivityEvent(`{"${name}":5}`), { code: 'INVALID_FIELD', message })
      const event = { type: Type.ONLINE, uid: 'u1', time: TIME, [name]: 5 }
      assert.throws(() => stringifyUserActivityEvent(event), { code: 'INVALID_FIELD', message })
    }
  })

  it('refuse to write a time that is no int64', () => {
    for (const time of [1700000000123, 0, '1', 2n ** 63n]) {
      const event = { type: Type.ONLINE, uid: 'u1', time: time as bigint }
      const message = /^UserActivityEvent\.time (must be a bigint|is out of the range)/
      assert.throws(() => stringifyUserActivityEvent(event), { code: 'INVALID_FIELD', message })
    }
  })

  it('take nothing from inherited keys', () => {
    const event = parseUserActivityEvent('{"__proto__":{"type":1,"uid":"evil","rid":"evil"},"constructor":1}')
    assert.deepEqual(event, new UserActivityEvent({ type: Type.UNSPECIFIED, uid: '', time: 0n }))
  })

  it('refuse a text that is no JSON object', () => {
    assert.throws(() => parseUserActivityEvent('nope'), {
      code: 'INVALID_JSON',
      message: /^UserActivityEvent is not JSON: /,
    })
    assert.throws(() => parseUserActivityEvent('[]'), {
      code: 'INVALID_FIELD',
      message: 'UserActivityEvent must be a JSON object, not an array',
    })
  })
})
