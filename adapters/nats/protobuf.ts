import { type CometError, callOfApp } from '../../lib/errors.ts'
import type { Event } from '../../lib/protocol/event.ts'
import { checkInt64, invalid } from '../../lib/protocol/json.ts'
import type { Message } from '../../lib/protocol/message.ts'
import { UserActivityEvent } from '../../lib/protocol/user-activity-event.ts'
import { kindOf } from '../../lib/util/kind-of.ts'

/** Wire types of protobuf: how the value of a field is written. */
const VARINT = 0
const FIXED64 = 1
const LENGTH = 2
const START_GROUP = 3
const END_GROUP = 4
const FIXED32 = 5

/** The most groups within each other. Nobody writes groups, and a reader must not run out of stack. */
const MOST_GROUPS = 100

/** The type of a field: a text; or an integer, as bigint or (of an enum) as number. */
type FieldType = 'string' | 'int64' | 'enum'

/** The fields of a message of the protocol, in the order of their numbers. */
type Fields<Name extends string> = { readonly [name in Name]: readonly [number: number, type: FieldType] }

/** See comet.proto in the folder docs. */
const EVENT: Fields<'uid' | 'rid' | 'evt'> = { uid: [1, 'string'], rid: [2, 'string'], evt: [3, 'string'] }

const MESSAGE: Fields<keyof Message> = {
  server: [1, 'string'],
  event: [2, 'string'],
  data: [3, 'string'],
  id: [4, 'string'],
  time: [5, 'int64'],
}

const USER_ACTIVITY_EVENT: Fields<keyof UserActivityEvent.Fields> = {
  type: [1, 'enum'],
  uid: [2, 'string'],
  rid: [3, 'string'],
  time: [5, 'int64'],
}

/** The fields of an Event, as they are in protobuf: absent is empty. */
export interface EventFields {
  readonly uid?: string | undefined
  readonly rid?: string | undefined
  readonly evt?: string | undefined
}

/** Writes an Event in protobuf. @throws CometError INVALID_FIELD */
export function encodeEvent(event: EventFields): Buffer {
  return callOfApp(() => encode('Event', EVENT, event))
}

/** Reads an Event from protobuf. Ignores unknown fields. @throws CometError INVALID_FIELD */
export function decodeEvent(bytes: Uint8Array): Event {
  const { uid = '', rid = '', evt = '' } = decode('Event', EVENT, bytes) as EventFields
  if (uid !== '') return rid === '' ? { uid, evt } : { uid, rid, evt }
  return rid === '' ? { evt } : { rid, evt }
}

/** Writes a Message in protobuf. @throws CometError INVALID_FIELD */
export function encodeMessage(message: Message): Buffer {
  return callOfApp(() => encode('Message', MESSAGE, message))
}

/** Reads a Message from protobuf. Ignores unknown fields. @throws CometError INVALID_FIELD */
export function decodeMessage(bytes: Uint8Array): Required<Message> {
  const fields = decode('Message', MESSAGE, bytes) as Message
  return { server: '', event: '', data: '', id: '', time: 0n, ...fields }
}

/** Writes a UserActivityEvent in protobuf. @throws CometError INVALID_FIELD */
export function encodeUserActivityEvent(event: UserActivityEvent.Fields): Buffer {
  return callOfApp(() => encode('UserActivityEvent', USER_ACTIVITY_EVENT, event))
}

/** Reads a UserActivityEvent from protobuf. Ignores unknown fields. @throws CometError INVALID_FIELD */
export function decodeUserActivityEvent(bytes: Uint8Array): UserActivityEvent {
  const fields = decode('UserActivityEvent', USER_ACTIVITY_EVENT, bytes) as Partial<UserActivityEvent.Fields>
  const { type = UserActivityEvent.Type.UNSPECIFIED, uid = '', rid, time = 0n } = fields
  if (!(Object.values(UserActivityEvent.Type) as number[]).includes(type)) {
    throw invalid('UserActivityEvent.type', 'is none of the types that are known')
  }
  return new UserActivityEvent({ type, uid, rid, time })
}

/** What goes into the bytes of a message: the bytes of each number, and each text with its length in bytes. */
type Part = readonly number[] | { readonly text: string; readonly length: number }

function encode<Name extends string>(
  what: string,
  fields: Fields<Name>,
  message: { readonly [name in Name]?: unknown },
): Buffer {
  if (typeof message !== 'object' || message === null) {
    throw invalid(what, `must be an object, not ${kindOf(message)}`)
  }
  const parts: Part[] = []
  let size = 0
  for (const name of Object.keys(fields) as Name[]) {
    const [number, type] = fields[name]
    const value = message[name] ?? undefined
    if (value === undefined) continue
    const full = `${what}.${name}`
    if (type === 'string') {
      const text = checkString(full, value)
      // An empty text and 0 are the defaults, which proto3 leaves out.
      if (text === '') continue
      const length = Buffer.byteLength(text)
      const head = [(number << 3) | LENGTH, ...smallVarint(length)]
      parts.push(head, { text, length })
      size += head.length + length
    } else {
      const integer = type === 'int64' ? checkInt64(full, value) : checkEnum(full, value)
      if (integer === 0n) continue
      const bytes = [(number << 3) | VARINT, ...varint(BigInt.asUintN(64, integer))]
      parts.push(bytes)
      size += bytes.length
    }
  }
  const buffer = Buffer.allocUnsafe(size)
  let at = 0
  for (const part of parts) {
    if ('text' in part) at += buffer.write(part.text, at)
    else for (const byte of part) buffer[at++] = byte
  }
  return buffer
}

/** Writes a length. */
function smallVarint(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128)
  bytes.push(rest)
  return bytes
}

function varint(value: bigint): number[] {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  bytes.push(Number(rest))
  return bytes
}

function checkString(name: string, value: unknown): string {
  if (typeof value === 'string') return value.toWellFormed()
  throw invalid(name, `must be a string, not ${kindOf(value)}`)
}

function checkEnum(name: string, value: unknown): bigint {
  if (Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 2 ** 31 - 1)
    return BigInt(Number(value))
  throw invalid(name, 'must be a number of the enum')
}

function decode(what: string, fields: Fields<string>, input: Uint8Array): Record<string, unknown> {
  const reader = new FieldReader(what, input)
  const message: Record<string, unknown> = {}
  const known = Object.entries(fields)
  while (!reader.isAtEnd) {
    const tag = reader.tag()
    const [number, wireType] = [tag >>> 3, tag & 7]
    const field = known.find(
      ([, [of, type]]) => of === number && wireType === (type === 'string' ? LENGTH : VARINT),
    )
    if (field === undefined) {
      reader.skip(wireType, number)
      continue
    }
    const [name, [, type]] = field
    // Of a field that is there twice, the last one counts.
    if (type === 'string') message[name] = reader.text(name)
    else if (type === 'int64') message[name] = BigInt.asIntN(64, reader.varint())
    else message[name] = Number(BigInt.asIntN(32, reader.varint()))
  }
  return message
}

/** Reads the fields of a message, one after the other. */
class FieldReader {
  readonly #what: string
  readonly #bytes: Buffer
  #at = 0

  constructor(what: string, bytes: Uint8Array) {
    this.#what = what
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  tag(): number {
    const tag = this.#smallVarint()
    if (tag > 0xffffffff || tag < 8) throw invalid(this.#what, 'has a field with an impossible number')
    return tag
  }

  text(name: string): string {
    const bytes = this.#slice(this.#smallVarint())
    const text = bytes.toString()
    // What is no UTF-8 was read as U+FFFD, which may also have been there.
    if (text.includes('\ufffd') && !Buffer.from(text).equals(bytes)) {
      throw invalid(`${this.#what}.${name}`, 'is not UTF-8')
    }
    return text
  }

  varint(): bigint {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte()
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return BigInt.asUintN(64, value)
    }
    throw invalid(this.#what, 'has an integer of more than ten bytes')
  }

  /** Passes over the value of a field. */
  skip(wireType: number, number: number, depth = 0): void {
    if (wireType === VARINT) this.varint()
    else if (wireType === FIXED64) this.#slice(8)
    else if (wireType === FIXED32) this.#slice(4)
    else if (wireType === LENGTH) this.#slice(this.#smallVarint())
    else if (wireType === START_GROUP && depth < MOST_GROUPS) {
      for (let tag = this.tag(); tag !== ((number << 3) | END_GROUP) >>> 0; tag = this.tag()) {
        this.skip(tag & 7, tag >>> 3, depth + 1)
      }
    } else throw invalid(this.#what, 'has a field with an impossible wire type')
  }

  /** Reads an integer that should be small. A larger one is not exact, and too large for everything. */
  #smallVarint(): number {
    let value = 0
    for (let factor = 1, count = 0; count < 10; factor *= 128, count += 1) {
      const byte = this.#byte()
      value += (byte & 127) * factor
      if (byte < 128) return value
    }
    throw invalid(this.#what, 'has an integer of more than ten bytes')
  }

  #slice(length: number): Buffer {
    if (length > this.#bytes.length - this.#at) throw cutOff(this.#what)
    const start = this.#at
    this.#at += length
    return this.#bytes.subarray(start, this.#at)
  }

  #byte(): number {
    const byte = this.#bytes[this.#at]
    if (byte === undefined) throw cutOff(this.#what)
    this.#at += 1
    return byte
  }
}

function cutOff(what: string): CometError {
  return invalid(what, 'is cut off')
}
