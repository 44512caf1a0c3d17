import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import {
  create,
  createFileRegistry,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  toBinary,
} from '@bufbuild/protobuf'
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
} from '@bufbuild/protobuf/wkt'

/** A message of a proto file: its fields, by name, with number and type; and its enums, by name. */
export interface ProtoMessage {
  readonly fields: Readonly<Record<string, readonly [number: number, type: string]>>
  readonly enums: Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly reserved: readonly number[]
}

/** The text of docs/comet.proto. */
export const PROTO_TEXT = readFileSync(
  fileURLToPath(new URL('../../docs/comet.proto', import.meta.url)),
  'utf8',
)

/** Reads the messages of a proto file as simple as docs/comet.proto: without maps, options of fields and nested messages. */
export function parseProto(text: string): Record<string, ProtoMessage> {
  const bare = text.replace(/\/\/.*$/gm, '')
  const messages = bare.matchAll(/^message (\w+) \{([\s\S]*?)^\}/gm)
  return Object.fromEntries(
    Array.from(messages, ([, name, body = '']) => {
      const enums = Array.from(body.matchAll(/enum (\w+) \{([^}]*)\}/g), ([, type, values = '']) => [
        type,
        Object.fromEntries(
          Array.from(values.matchAll(/(\w+) = (\d+);/g), ([, key, value]) => [key, Number(value)]),
        ),
      ])
      const rest = body.replace(/enum \w+ \{[^}]*\}/g, '')
      const fields = Array.from(rest.matchAll(/(\w+) (\w+) = (\d+);/g), ([, type, key, number]) => [
        key,
        [Number(number), type],
      ])
      const reserved = Array.from(rest.matchAll(/reserved (\d+);/g), ([, number]) => Number(number))
      return [name, { fields: Object.fromEntries(fields), enums: Object.fromEntries(enums), reserved }]
    }),
  )
}

/** The messages of docs/comet.proto. */
export const PROTO = parseProto(PROTO_TEXT)

const PACKAGE = 'io.goeasy.comet'

const file = create(FileDescriptorProtoSchema, {
  name: 'comet.proto',
  package: PACKAGE,
  syntax: 'proto3',
  messageType: Object.entries(PROTO).map(([name, { fields, enums }]) => ({
    name,
    field: Object.entries(fields).map(([field, [number, type]]) => ({
      name: field,
      jsonName: field,
      number,
      label: FieldDescriptorProto_Label.OPTIONAL,
      ...typeOf(name, type),
    })),
    enumType: Object.entries(enums).map(([type, values]) => ({
      name: type,
      value: Object.entries(values).map(([value, number]) => ({ name: value, number })),
    })),
  })),
})

function typeOf(message: string, type: string) {
  if (type === 'string') return { type: FieldDescriptorProto_Type.STRING }
  if (type === 'int64') return { type: FieldDescriptorProto_Type.INT64 }
  return { type: FieldDescriptorProto_Type.ENUM, typeName: `.${PACKAGE}.${message}.${type}` }
}

const registry = createFileRegistry(file, () => undefined)

/** A message of docs/comet.proto as another implementation of protobuf reads and writes it. */
export class OtherCodec {
  readonly #desc: DescMessage
  readonly #names: readonly string[]

  constructor(name: string) {
    const desc = registry.getMessage(`${PACKAGE}.${name}`)
    if (desc === undefined) throw new Error(`docs/comet.proto has no message ${name}`)
    this.#desc = desc
    this.#names = desc.fields.map((field) => field.localName)
  }

  encode(fields: object): Buffer {
    return Buffer.from(toBinary(this.#desc, create(this.#desc, fields as MessageInitShape<DescMessage>)))
  }

  /** Reads all fields: one that is absent has its default. */
  decode(bytes: Uint8Array): Record<string, unknown> {
    const message = fromBinary(this.#desc, bytes) as unknown as Record<string, unknown>
    return Object.fromEntries(this.#names.map((name) => [name, message[name]]))
  }
}
