import assert from 'node:assert/strict'
import {
  decodeEvent,
  decodeMessage,
  decodeUserActivityEvent,
  encodeEvent,
  encodeMessage,
  encodeUserActivityEvent,
} from '../../adapters/nats/index.ts'
import { UserActivityEvent } from '../../lib/index.ts'

const { Type } = UserActivityEvent

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')

describe('encodeEvent and decodeEvent', () => {
  it('write and read the bytes that Go services do', () => {
    const bytes = hex('0a02 7531 1a02 6869')
    assert.deepEqual(encodeEvent({ uid: 'u1', evt: 'hi' }), bytes)
    assert.deepEqual(decodeEvent(bytes), { uid: 'u1', evt: 'hi' })
    assert.deepEqual(decodeEvent(hex('1202 7231 1a02 6869')), { rid: 'r1', evt: 'hi' })
    assert.deepEqual(decodeEvent(hex('0a02 7531 1202 7231')), { uid: 'u1', rid: 'r1', evt: '' })
  })

  it('write an empty Event as no bytes at all, and read it as one for the world', () => {
    for (const fields of [{}, { uid: '', rid: '', evt: '' }, { uid: undefined, rid: null as never }]) {
      assert.deepEqual(encodeEvent(fields), Buffer.alloc(0))
    }
    assert.deepEqual(decodeEvent(Buffer.alloc(0)), { evt: '' })
    assert.deepEqual(decodeEvent(hex('0a00 1200 1a00')), { evt: '' })
  })

  it('read from the middle of a larger buffer', () => {
    const bytes = hex('ffff 1a02 6869 ffff')
    assert.deepEqual(decodeEvent(bytes.subarray(2, 6)), { evt: 'hi' })
    assert.deepEqual(decodeEvent(new Uint8Array(bytes).subarray(2, 6)), { evt: 'hi' })
  })

  it('take a field of another wire type for one that is unknown, as a later version may have it', () => {
    assert.deepEqual(decodeEvent(hex('0805 0a02 7531 1d00000000 19 0000000000000000')), {
      uid: 'u1',
      evt: '',
    })
  })

  it('write half of a surrogate pair as U+FFFD, because it is no text', () => {
    assert.equal(decodeEvent(encodeEvent({ evt: 'a\ud83d' })).evt, 'a\ufffd')
  })

  it('refuse what is no UTF-8, and read U+FFFD itself', () => {
    assert.equal(decodeEvent(hex('1a03 efbfbd')).evt, '\ufffd')
    const error = { name: 'CometError', code: 'INVALID_FIELD', message: 'Event.evt is not UTF-8' }
    assert.throws(() => decodeEvent(hex('1a02 c328')), error)
    assert.throws(() => decodeEvent(hex('1a05 efbfbd c328')), error)
  })

  it('refuse to write what is no text, as a mistake of the app', () => {
    const error = {
      code: 'INVALID_FIELD',
      status: undefined,
      message: 'Event.uid must be a string, not a number',
    }
    assert.throws(() => encodeEvent({ uid: 5 as never }), error)
    assert.throws(() => encodeEvent(null as never), { message: 'Event must be an object, not null' })
    assert.throws(() => encodeEvent('text' as never), { message: 'Event must be an object, not a string' })
  })
})

describe('encodeMessage and decodeMessage', () => {
  it('carry a time exactly, up to the ends of int64', () => {
    for (const [time, bytes] of [
      [1n, '2801'],
      [-1n, '28 ffffffffffffffffff01'],
      [2n ** 63n - 1n, '28 ffffffffffffffff7f'],
      [-(2n ** 63n), '28 80808080808080808001'],
      [1700000000123456789n, '28 959a97ece39fe7cb17'],
    ] as const) {
      assert.deepEqual(encodeMessage({ time }), hex(bytes))
      assert.equal(decodeMessage(hex(bytes)).time, time)
    }
  })

  it('give the defaults of what is absent', () => {
    const empty = { server: '', event: '', data: '', id: '', time: 0n }
    assert.deepEqual(decodeMessage(Buffer.alloc(0)), empty)
    assert.deepEqual(encodeMessage(empty), Buffer.alloc(0))
  })

  it('refuse to write a time that is no int64', () => {
    const bigint = { code: 'INVALID_FIELD', message: 'Message.time must be a bigint, not a number' }
    assert.throws(() => encodeMessage({ time: 5 as never }), bigint)
    for (const time of [2n ** 63n, -(2n ** 63n) - 1n]) {
      const message = `Message.time is out of the range of int64: ${time}`
      assert.throws(() => encodeMessage({ time }), { code: 'INVALID_FIELD', message })
    }
  })
})

describe('encodeUserActivityEvent and decodeUserActivityEvent', () => {
  it('write and read the bytes that Go services do', () => {
    const online = new UserActivityEvent({ type: Type.ONLINE, uid: 'u1', time: 1700000000123456789n })
    const bytes = hex('0801 1202 7531 28 959a97ece39fe7cb17')
    assert.deepEqual(encodeUserActivityEvent(online), bytes)
    assert.deepEqual(decodeUserActivityEvent(bytes), online)
    const enter = new UserActivityEvent({ ...online, type: Type.ENTER_ROOM, rid: 'r1' })
    const written = encodeUserActivityEvent(enter)
    assert.equal(written.toString('base64'), 'CAQSAnUxGgJyMSiVmpfs45/nyxc=')
    assert.deepEqual(decodeUserActivityEvent(written), enter)
  })

  it('write and read an empty event as no bytes at all', () => {
    const empty = new UserActivityEvent({ type: Type.UNSPECIFIED, uid: '', time: 0n })
    assert.deepEqual(encodeUserActivityEvent(empty), Buffer.alloc(0))
    assert.deepEqual(decodeUserActivityEvent(Buffer.alloc(0)), empty)
  })

  it('refuse to write a type that is no number of an enum', () => {
    const message = 'UserActivityEvent.type must be a number of the enum'
    for (const type of [1.5, -1, 2 ** 31, 'ONLINE', 1n] as never[]) {
      assert.throws(() => encodeUserActivityEvent({ type, uid: 'u1', time: 1n }), {
        code: 'INVALID_FIELD',
        message,
      })
    }
  })

  it('refuse to read a type that is not known', () => {
    const message = 'UserActivityEvent.type is none of the types that are known'
    for (const bytes of ['0806', '08 ffffffffffffffffff01']) {
      assert.throws(() => decodeUserActivityEvent(hex(bytes)), { code: 'INVALID_FIELD', message })
    }
  })
})

describe('Bytes that are no message', () => {
  const group = (depth: number) => hex(`${'33'.repeat(depth)}${'34'.repeat(depth)}`)

  for (const [title, bytes, message] of [
    ['end within the number of a field', hex('80'), 'Event is cut off'],
    ['end within a text', hex('1a03 6869'), 'Event is cut off'],
    ['end within an integer', hex('4080'), 'Event is cut off'],
    ['end within 64 bits', hex('41 0000'), 'Event is cut off'],
    ['end within a group', hex('33'), 'Event is cut off'],
    ['say a length of 4 GiB', hex('1a ffffffff0f 00'), 'Event is cut off'],
    ['say a length of 16 EiB', hex('1a ffffffffffffffffff01 00'), 'Event is cut off'],
    ['have a field number 0', hex('02 00'), 'Event has a field with an impossible number'],
    ['have a field number of 2 ** 29', hex('8280808010 00'), 'Event has a field with an impossible number'],
    [
      'have a length of eleven bytes',
      hex('1a ffffffffffffffffffff01'),
      'Event has an integer of more than ten bytes',
    ],
    [
      'have an integer of eleven bytes',
      hex('40 ffffffffffffffffffff01'),
      'Event has an integer of more than ten bytes',
    ],
    ['have a wire type 6', hex('36'), 'Event has a field with an impossible wire type'],
    ['have a wire type 7', hex('37'), 'Event has a field with an impossible wire type'],
    ['end a group that none has begun', hex('34'), 'Event has a field with an impossible wire type'],
    [
      'end a group with the number of another',
      hex('33 3c'),
      'Event has a field with an impossible wire type',
    ],
    ['have more than 100 groups in each other', group(101), 'Event has a field with an impossible wire type'],
    ['have 500,000 groups in each other', group(500_000), 'Event has a field with an impossible wire type'],
  ] as const) {
    it(`are refused when they ${title}`, () => {
      assert.throws(() => decodeEvent(bytes), { name: 'CometError', code: 'INVALID_FIELD', message })
    })
  }

  it('do not have 100 groups in each other, which are passed over, nor the largest field number', () => {
    assert.deepEqual(decodeEvent(Buffer.concat([group(100), hex('1a02 6869')])), { evt: 'hi' })
    assert.deepEqual(decodeEvent(hex('f8ffffff0f 05 1a02 6869')), { evt: 'hi' })
    assert.deepEqual(decodeEvent(hex('fbffffff0f fcffffff0f 1a02 6869')), { evt: 'hi' })
  })
})
