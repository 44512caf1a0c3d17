import assert from 'node:assert/strict'
import {
  type CometEvent,
  type Event,
  type Message,
  parseEvent,
  parseMessage,
  parseUserActivityEvent,
  stringifyEvent,
  stringifyMessage,
  stringifyUserActivityEvent,
  UserActivityEvent,
} from '../../../lib/index.ts'

/** True for two types that are the same. The compiler checks the table below. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** The attributes of the protocol and their types, which only the compiler can see. */
void ({
  Event: true,
  CometEvent: true,
  'Event.evt': true,
  'Event.uid': true,
  'Event.rid': true,
  Message: true,
  UserActivityEvent: true,
  'UserActivityEvent.Type': true,
} satisfies {
  Event: Same<keyof Event, 'uid' | 'rid' | 'evt'>
  CometEvent: Same<CometEvent, Event>
  'Event.evt': Same<Event['evt'], string>
  'Event.uid': Same<NonNullable<Event['uid']>, string>
  'Event.rid': Same<NonNullable<Event['rid']>, string>
  Message: Same<
    Required<Message>,
    {
      readonly server: string
      readonly event: string
      readonly data: string
      readonly id: string
      readonly time: bigint
    }
  >
  UserActivityEvent: Same<
    Omit<Required<UserActivityEvent>, 'toJSON'>,
    {
      readonly type: UserActivityEvent.Type
      readonly uid: string
      readonly rid: string
      readonly time: bigint
    }
  >
  'UserActivityEvent.Type': Same<UserActivityEvent.Type, 0 | 1 | 2 | 3 | 4 | 5>
})

/** enum UserActivityEvent.Type, as the protocol's table has it. */
const TYPES = [
  [0, 'UNSPECIFIED'],
  [1, 'ONLINE'],
  [2, 'OFFLINE'],
  [3, 'HEARD'],
  [4, 'ENTER_ROOM'],
  [5, 'LEAVE_ROOM'],
] as const

describe('The protocol', () => {
  describe('enum UserActivityEvent.Type', () => {
    for (const [value, name] of TYPES) {
      it(`has ${name} with the value ${value}`, () => {
        const type: UserActivityEvent.Type = UserActivityEvent.Type[name]
        assert.equal(type, value)
      })
    }

    it('has no other constants, in the order of their values', () => {
      assert.deepEqual(
        Object.entries(UserActivityEvent.Type),
        TYPES.map(([value, name]) => [name, value]),
      )
    })
  })

  describe('object Event', () => {
    const event: Event = { uid: 'u1', rid: 'r1', evt: 'hi' }

    for (const name of ['uid', 'rid', 'evt'] as const) {
      it(`has the attribute ${name}, a string`, () => {
        const read: CometEvent = parseEvent(JSON.stringify({ [name]: `a ${name}` }))
        assert.equal(read[name], `a ${name}`)
        assert.ok(stringifyEvent(event).includes(`"${name}":"${event[name]}"`))
      })
    }

    it('has no other attributes', () => {
      assert.deepEqual(Object.keys(parseEvent(stringifyEvent(event))), ['uid', 'rid', 'evt'])
    })
  })

  describe('object Message', () => {
    const message: Required<Message> = { server: 's', event: 'e', data: 'd', id: 'i', time: 7n }

    for (const name of ['server', 'event', 'data', 'id'] as const) {
      it(`has the attribute ${name}, a string`, () => {
        assert.equal(parseMessage(JSON.stringify({ [name]: `a ${name}` }))[name], `a ${name}`)
        assert.equal(stringifyMessage({ [name]: `a ${name}` }), `{"${name}":"a ${name}"}`)
      })
    }

    it('has the attribute time, an int64', () => {
      assert.equal(parseMessage('{"time":7}').time, 7n)
      assert.equal(stringifyMessage({ time: 7n }), '{"time":7}')
    })

    it('has no other attributes', () => {
      const names = Object.keys(parseMessage(stringifyMessage(message)))
      assert.deepEqual(names, ['server', 'event', 'data', 'id', 'time'])
    })
  })

  describe('object UserActivityEvent', () => {
    const { ENTER_ROOM } = UserActivityEvent.Type
    const event = new UserActivityEvent({ type: ENTER_ROOM, uid: 'u1', rid: 'r1', time: 7n })

    for (const [name, value] of [
      ['type', 4],
      ['uid', 'u1'],
      ['rid', 'r1'],
      ['time', 7n],
    ] as const) {
      it(`has the attribute ${name}`, () => {
        assert.equal(event[name], value)
        assert.equal(parseUserActivityEvent(stringifyUserActivityEvent(event))[name], value)
      })
    }

    it('has no other attributes', () => {
      assert.deepEqual(Object.keys(event).sort(), ['rid', 'time', 'type', 'uid'])
    })
  })
})
