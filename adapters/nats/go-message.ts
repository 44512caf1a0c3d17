import { CometError } from '../../lib/errors.ts'

/**
 * A message as Go-Micro's brokers write it into the payload of NATS: JSON with `Header`, a map of texts, and `Body`,
 * padded base64. NATS' own headers are not used.
 */
export interface GoMessage {
  /** Finds a header, also by another case: Go services write `Content-Type`, others may not. */
  header(name: string): string | undefined
  /** In base64, as it was. */
  readonly body: string
}

/** What go-micro v2 and v5 both read: protobuf without a frame around it. */
const CONTENT_TYPE = 'application/protobuf'

/** Padded base64, if its length is a multiple of four. */
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

/** The content types whose body is protobuf, and those whose body is JSON. Parameters such as `; charset=utf-8` are cut. */
const PROTOBUF_TYPES = new Set([
  '',
  'application/protobuf',
  'application/proto',
  'application/x-protobuf',
  'application/proto-rpc',
  'application/grpc',
  'application/grpc+proto',
])
const JSON_TYPES = new Set(['application/json', 'application/json-rpc', 'application/grpc+json'])

/** The bytes before a message of gRPC: whether it is compressed, and its length. */
const FRAME_BYTES = 5

/**
 * Writes a message with a body in protobuf, as go-micro v2 and v5 both accept it.
 *
 * @param headers more headers, already in JSON: `,"Name":"value"` for each
 * @param body in base64
 */
export function stringifyGoMessage(topic: string, headers: string, body: string): string {
  return `{"Header":{"Content-Type":"${CONTENT_TYPE}","Micro-Topic":${JSON.stringify(topic)}${headers}},"Body":"${body}"}`
}

/** Reads the payload of a message. @throws CometError INVALID_JSON, INVALID_FIELD */
export function parseGoMessage(payload: Uint8Array): GoMessage {
  const text = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString()
  let message: unknown
  try {
    message = JSON.parse(text)
  } catch {
    // Not with what JSON.parse says, which quotes the text: there may be secrets in headers.
    throw new CometError('INVALID_JSON', 'The payload is not JSON.')
  }
  if (!isObject(message)) throw invalid('The payload must be a JSON object.')
  const header = memberOf(message, 'Header') ?? {}
  const body = memberOf(message, 'Body') ?? ''
  if (!isObject(header)) throw invalid('Header must be a JSON object.')
  if (typeof body !== 'string' || body.length % 4 !== 0 || !BASE64.test(body)) {
    throw invalid('Body must be padded base64.')
  }
  return {
    header: (name) => {
      const value = memberOf(header, name)
      return typeof value === 'string' ? value : undefined
    },
    body,
  }
}

/** Returns the bytes of a body, and whether they are JSON. @throws CometError INVALID_FIELD */
export function bodyOf({ header, body }: GoMessage): { readonly isJson: boolean; readonly bytes: Buffer } {
  const [type = ''] = (header('Content-Type') ?? '').split(';', 1)
  const name = type.trim().toLowerCase()
  const bytes = Buffer.from(body, 'base64')
  const isJson = JSON_TYPES.has(name)
  if (!isJson && !PROTOBUF_TYPES.has(name)) throw invalid('The Content-Type is not known.')
  return { isJson, bytes: name.startsWith('application/grpc') ? withoutFrame(bytes) : bytes }
}

/** Takes off the frame of gRPC, which go-micro v5 writes and v2 does not. */
function withoutFrame(bytes: Buffer): Buffer {
  const isFramed =
    bytes.length >= FRAME_BYTES && bytes[0] === 0 && bytes.readUInt32BE(1) === bytes.length - FRAME_BYTES
  return isFramed ? bytes.subarray(FRAME_BYTES) : bytes
}

/** Finds a member by its name, else by its name in another case, as Go does. */
export function memberOf(object: Readonly<Record<string, unknown>>, name: string): unknown {
  if (Object.hasOwn(object, name)) return object[name]
  const lower = name.toLowerCase()
  const key = Object.keys(object).find((other) => other.toLowerCase() === lower)
  return key === undefined ? undefined : object[key]
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function invalid(message: string): CometError {
  return new CometError('INVALID_FIELD', message)
}
