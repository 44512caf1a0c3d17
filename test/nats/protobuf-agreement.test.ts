import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import fc from 'fast-check'
import {
  decodeEvent,
  decodeMessage,
  decodeUserActivityEvent,
  encodeEvent,
  encodeMessage,
  encodeUserActivityEvent,
} from '../../adapters/nats/protobuf.ts'
import { UserActivityEvent } from '../../lib/index.ts'
import { anyText, int64 } from '../support/arbitraries.ts'
import { OtherCodec, PROTO, PROTO_TEXT } from '../support/comet-proto.ts'
import { runs } from '../support/tier.ts'

const { Type } = UserActivityEvent

/** The fields that Go services have, in the order of their numbers. */
const FIELDS = {
  Event: { uid: [1, 'string'], rid: [2, 'string'], evt: [3, 'string'] },
  Message: {
    server: [1, 'string'],
    event: [2, 'string'],
    data: [3, 'string'],
    id: [4, 'string'],
    time: [5, 'int64'],
  },
  UserActivityEvent: { type: [1, 'Type'], uid: [2, 'string'], rid: [3, 'string'], time: [5, 'int64'] },
}

type Name = keyof typeof FIELDS

/** A codec as the other implementation has it: what is absent is read as its default. */
interface Codec {
  encode(fields: object): Buffer
  decode(bytes: Uint8Array): object
}

const OURS: Record<Name, Codec> = {
  Event: {
    encode: encodeEvent as Codec['encode'],
    decode: (bytes) => ({ uid: '', rid: '', ...decodeEvent(bytes) }),
  },
  Message: { encode: encodeMessage, decode: decodeMessage },
  UserActivityEvent: {
    encode: encodeUserActivityEvent as Codec['encode'],
    decode: (bytes) => ({ rid: '', ...decodeUserActivityEvent(bytes) }),
  },
}

const text = anyText.map((each) => each.toWellFormed())
const type = fc.constantFrom(...Object.values(Type))
const optional = { requiredKeys: [] }

const MESSAGES: Record<Name, fc.Arbitrary<object>> = {
  Event: fc.record({ uid: text, rid: text, evt: text }, optional),
  Message: fc.record({ server: text, event: text, data: text, id: text, time: int64 }, optional),
  UserActivityEvent: fc.record({ type, uid: text, rid: text, time: int64 }, optional),
}

/** A field, written into a message. */
type Write = (writer: BinaryWriter) => void

/** Fields that no version has had so far, of every wire type. */
const unknownField: fc.Arbitrary<Write> = fc.letrec<{ field: Write }>((tie) => {
  const number = fc.oneof(fc.integer({ min: 6, max: 20 }), fc.integer({ min: 6, max: 2 ** 29 - 1 }))
  const bits64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
  return {
    field: fc.oneof(
      { depthSize: 'small' },
      fc.tuple(number, bits64).map(
        ([no, value]): Write =>
          (writer) =>
            writer.tag(no, WireType.Varint).uint64(value),
      ),
      fc.tuple(number, bits64).map(
        ([no, value]): Write =>
          (writer) =>
            writer.tag(no, WireType.Bit64).fixed64(value),
      ),
      fc.tuple(number, fc.uint8Array({ maxLength: 40 })).map(
        ([no, value]): Write =>
          (writer) =>
            writer.tag(no, WireType.LengthDelimited).bytes(value),
      ),
      fc.tuple(number, fc.float({ noNaN: true })).map(
        ([no, value]): Write =>
          (writer) =>
            writer.tag(no, WireType.Bit32).float(value),
      ),
      fc.tuple(number, fc.array(tie('field'), { maxLength: 3 })).map(
        ([no, fields]): Write =>
          (writer) => {
            writer.tag(no, WireType.StartGroup)
            for (const write of fields) write(writer)
            writer.tag(no, WireType.EndGroup)
          },
      ),
    ),
  }
}).field

/** A field of a message, which may have its default, other than where messages are written as they should be. */
function knownField(name: Name): fc.Arbitrary<Write> {
  return fc.oneof(
    ...Object.values(FIELDS[name]).map(([number, kind]) => {
      const no = Number(number)
      if (kind === 'string') {
        return text.map(
          (value): Write =>
            (writer) =>
              writer.tag(no, WireType.LengthDelimited).string(value),
        )
      }
      return (kind === 'int64' ? int64 : type.map(BigInt)).map(
        (value): Write =>
          (writer) =>
            writer.tag(no, WireType.Varint).int64(value),
      )
    }),
  )
}

function written(fields: readonly Write[]): Uint8Array {
  const writer = new BinaryWriter()
  for (const write of fields) write(writer)
  return writer.finish()
}

describe('docs/comet.proto', () => {
  it('has the fields of the Go services', () => {
    const fields = Object.fromEntries(Object.entries(PROTO).map(([name, message]) => [name, message.fields]))
    assert.deepEqual(fields, FIELDS)
    assert.deepEqual(PROTO.UserActivityEvent?.enums, { Type })
    assert.deepEqual(PROTO.UserActivityEvent?.reserved, [4])
    assert.match(PROTO_TEXT, /^syntax = "proto3";$/m)
  })

  it('has the same fields as the tables that the codec reads and writes by', () => {
    const path = fileURLToPath(new URL('../../adapters/nats/protobuf.ts', import.meta.url))
    const tables = readFileSync(path, 'utf8').matchAll(/^const (\w+): Fields<.*> = \{([^}]*)\}/gm)
    const found = Object.fromEntries(
      Array.from(tables, ([, name = '', table = '']) => {
        const fields = table.matchAll(/(\w+): \[(\d+), '(\w+)'\]/g)
        const entries = Array.from(fields, ([, field, number, kind]) => [field, [Number(number), kind]])
        return [name, Object.fromEntries(entries)]
      }),
    )
    const { type: _, ...others } = FIELDS.UserActivityEvent
    assert.deepEqual(found, {
      EVENT: FIELDS.Event,
      MESSAGE: FIELDS.Message,
      USER_ACTIVITY_EVENT: { type: [1, 'enum'], ...others },
    })
  })
})

describe('The protobuf codec', () => {
  for (const name of Object.keys(FIELDS) as Name[]) {
    const [ours, other] = [OURS[name], new OtherCodec(name)]

    it(`writes each ${name} byte for byte as another implementation does, which reads it back`, () => {
      fc.assert(
        fc.property(MESSAGES[name], (fields) => {
          const bytes = ours.encode(fields)
          assert.deepEqual(bytes, other.encode(fields))
          const defaults = other.decode(new Uint8Array())
          assert.deepEqual(other.decode(bytes), { ...defaults, ...fields })
        }),
        runs(5_000),
      )
    })

    it(`reads each ${name} of another implementation, with unknown fields, in any order, some twice`, () => {
      const fields = fc.array(fc.oneof({ weight: 2, arbitrary: knownField(name) }, unknownField), {
        maxLength: 8,
      })
      fc.assert(
        fc.property(fields, (writes) => {
          const bytes = written(writes)
          const { ...read } = ours.decode(bytes)
          assert.deepEqual(read, other.decode(bytes))
        }),
        runs(5_000),
      )
    })

    it(`reads any bytes as the fields of ${name}, or throws INVALID_FIELD and says nothing of what they are`, () => {
      const bytes = fc.oneof(
        fc.uint8Array({ maxLength: 60 }),
        fc.tuple(MESSAGES[name], fc.nat(), fc.nat({ max: 255 })).map(([fields, at, byte]) => {
          const copy = ours.encode(fields)
          copy[at % copy.length] = byte
          return copy
        }),
      )
      fc.assert(
        fc.property(bytes, (each) => {
          try {
            ours.decode(each)
          } catch (error) {
            const { code, message } = error as { code: string; message: string }
            assert.equal(code, 'INVALID_FIELD')
            assert.match(message, /^[A-Z]\w+(\.\w+)? (is|has) [\w -]+$/)
          }
        }),
        runs(2_000),
      )
    })
  }
})
