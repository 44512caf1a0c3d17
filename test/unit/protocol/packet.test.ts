import assert from 'node:assert/strict'
import fc from 'fast-check'
import { parsePacket } from '../../../lib/protocol/packet.ts'
import { decoy } from '../../support/arbitraries.ts'
import { runs } from '../../support/tier.ts'

describe('parsePacket', () => {
  it('reads a packet without a type as a heartbeat, as proto3 does', () => {
    for (const packet of [{}, { type: null }, { type: 0 }, { type: 'HB' }, { type: 'HB', rid: 5 }]) {
      assert.deepEqual(parsePacket(packet), { type: 'HB' })
    }
  })

  it('reads BYE, which may name a connection', () => {
    assert.deepEqual(parsePacket({ type: 'BYE' }), { type: 'BYE', connection: '' })
    const bye = { connection: 'c1' }
    assert.deepEqual(parsePacket({ type: 'BYE', bye }), { type: 'BYE', connection: 'c1' })
    for (const wrong of [5, 'c1', { connection: 5 }]) {
      assert.throws(() => parsePacket({ type: 'BYE', bye: wrong }), { code: 'INVALID_FIELD' })
    }
  })

  it('reads the room of JOIN, which is also number 2', () => {
    assert.deepEqual(parsePacket({ type: 'JOIN', join: { rid: 'r1' } }), {
      type: 'JOIN',
      rid: 'r1',
      since: '',
      recent: 0,
    })
    assert.deepEqual(parsePacket({ type: 2, join: { rid: 'r1' } }), {
      type: 'JOIN',
      rid: 'r1',
      since: '',
      recent: 0,
    })
  })

  it('reads the room of LEAVE', () => {
    assert.deepEqual(parsePacket({ type: 'LEAVE', leave: { rid: 'r1' } }), { type: 'LEAVE', rid: 'r1' })
  })

  it('accepts an empty rid, which stands for no room', () => {
    const packet = parsePacket({ type: 'JOIN', join: { rid: '' } })
    assert.deepEqual(packet, { type: 'JOIN', rid: '', since: '', recent: 0 })
    assert.deepEqual(parsePacket({ type: 'LEAVE', leave: { rid: '' } }), { type: 'LEAVE', rid: '' })
  })

  it('refuses JOIN and LEAVE without a rid: JSON drops an undefined one, which must not leave all rooms', () => {
    for (const packet of [
      {},
      { join: {} },
      { join: null },
      { join: { rid: null } },
      { leave: { rid: 'r1' } },
    ]) {
      assert.throws(() => parsePacket({ type: 'JOIN', ...packet }), {
        code: 'INVALID_FIELD',
        message: /^join.rid must /,
      })
    }
    for (const packet of [{}, { leave: {} }, { join: { rid: 'r1' } }]) {
      assert.throws(() => parsePacket({ type: 'LEAVE', ...packet }), {
        code: 'INVALID_FIELD',
        message: /^leave.rid must /,
      })
    }
  })

  it('reads the text of SEND, with or without an id', () => {
    const send = { type: 'SEND', send: { evt: 'hi', id: '1' } }
    assert.deepEqual(parsePacket(send), { type: 'SEND', evt: 'hi', id: '1' })
    assert.deepEqual(parsePacket({ type: 'SEND', send: { evt: '' } }), { type: 'SEND', evt: '', id: '' })
  })

  it('refuses SEND without a text', () => {
    for (const [packet, kind] of [
      [{}, 'undefined'],
      [{ send: {} }, 'undefined'],
      [{ send: { evt: null } }, 'null'],
      [{ send: { evt: { a: 1 } } }, 'an object'],
    ] as const) {
      const message = `send.evt must be a string, not ${kind}`
      assert.throws(() => parsePacket({ type: 'SEND', ...packet }), { code: 'INVALID_FIELD', message })
    }
  })

  it('refuses a field of the wrong type, and names it', () => {
    for (const [packet, message] of [
      [{ type: 'JOIN', join: { rid: 5 } }, 'join.rid must be a string, not a number'],
      [{ type: 'LEAVE', leave: { rid: ['r1'] } }, 'leave.rid must be a string, not an array'],
      [{ type: 'JOIN', join: 'r1' }, 'join must be a JSON object, not a string'],
      [{ type: 'SEND', send: [] }, 'send must be a JSON object, not an array'],
      [{ type: 'SEND', send: { evt: 'hi', id: 1 } }, 'send.id must be a string, not a number'],
    ] as const) {
      assert.throws(() => parsePacket(packet), { name: 'CometError', code: 'INVALID_FIELD', message })
    }
  })

  it('refuses an unknown type', () => {
    const message = 'type must be HB, JOIN, LEAVE, SEND or BYE'
    // 1 and 3 are AUTH and PUSH in the system that the protocol comes from.
    const types = [1, 3, -1, 2.5, Number.NaN, '', 'hb', '0', 'PUSH', 'constructor', '__proto__', true, {}]
    for (const type of types) assert.throws(() => parsePacket({ type }), { code: 'INVALID_FIELD', message })
  })

  // A comparison may convert such values to strings, or fail to.
  it('refuses a type that becomes a name only when it is converted to a string', () => {
    const message = 'type must be HB, JOIN, LEAVE, SEND or BYE'
    for (const text of ['["HB"]', '[["BYE"]]', '{"toString":1,"valueOf":1}', '{"toString":null}']) {
      const packet: unknown = JSON.parse(`{"type":${text}}`)
      assert.throws(() => parsePacket(packet), { name: 'CometError', code: 'INVALID_FIELD', message })
    }
  })

  it('refuses anything but a JSON object', () => {
    for (const [packet, kind] of [
      [undefined, 'undefined'],
      [null, 'null'],
      [[], 'an array'],
      ['{"type":"HB"}', 'a string'],
      [0, 'a number'],
    ] as const) {
      const message = `the packet must be a JSON object, not ${kind}`
      assert.throws(() => parsePacket(packet), { name: 'CometError', code: 'INVALID_FIELD', message })
    }
  })

  it('reads a packet or throws a CometError, whatever JSON a client sends', () => {
    const body = fc.oneof(decoy, fc.dictionary(fc.constantFrom('rid', 'evt', 'id', '__proto__'), decoy))
    const type = fc.oneof(decoy, fc.constantFrom('HB', 'JOIN', 'LEAVE', 'SEND', 'BYE', 0, 2))
    const packet = fc.record({ type, join: body, leave: body, send: body }, { requiredKeys: [] })
    fc.assert(
      fc.property(fc.oneof(packet, decoy), (value) => {
        try {
          assert.match(parsePacket(value).type, /^(HB|JOIN|LEAVE|SEND|BYE)$/)
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'INVALID_FIELD')
        }
      }),
      runs(1_000),
    )
  })
})
