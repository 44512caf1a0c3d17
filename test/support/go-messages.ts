import assert from 'node:assert/strict'
import { subjectsOf } from '../../adapters/nats/subjects.ts'
import { OtherCodec } from './comet-proto.ts'

/** The subjects of the namespace of the captured messages. */
export const SUBJECTS = subjectsOf('io.goeasy')

/** Makes the payload of a Go service. @param body in base64 */
export function goPayload(header: object, body: unknown): Buffer {
  return Buffer.from(JSON.stringify({ Header: header, Body: body }))
}

/** Writes bytes or a text in base64. */
export const base64 = (bytes: Uint8Array | string) => Buffer.from(bytes as string).toString('base64')

/** Puts bytes into a frame of gRPC, as go-micro v5 does. */
export function framed(bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(bytes.length, 1)
  return Buffer.concat([head, bytes])
}

/** Event{uid:"u1",evt:"hi"} in protobuf. */
export const HI = Buffer.from('0a0275311a026869', 'hex')

/** Event{uid:"u1",evt:"hi"} as encoding/json writes it. */
export const HI_JSON = '{"uid":"u1","evt":"hi"}\n'

const TOPIC = SUBJECTS.events

/** What go-micro v2.9.1 and v5.10.0 send for Event{uid:"u1",evt:"hi"}, with each of their codecs, and what may be sent else. */
export const CAPTURED: Readonly<Record<string, Buffer>> = {
  'v2, as it is': Buffer.from(
    '{"Header":{"Content-Type":"application/grpc+proto","Micro-From-Service":"io.goeasy.cli.pub","Micro-Topic":"io.goeasy.service.comet"},"Body":"CgJ1MRoCaGk="}',
  ),
  ...Object.fromEntries(
    ['application/protobuf', 'application/proto-rpc', 'application/grpc', 'application/grpc+proto'].map(
      (type) => [
        `v2, ${type}`,
        goPayload({ 'Content-Type': type, 'Micro-From-Service': 'a', 'Micro-Topic': TOPIC }, base64(HI)),
      ],
    ),
  ),
  ...Object.fromEntries(
    ['application/json', 'application/json-rpc', 'application/grpc+json'].map((type) => [
      `v2, ${type}`,
      goPayload({ 'Content-Type': type, 'Micro-From-Service': 'a', 'Micro-Topic': TOPIC }, base64(HI_JSON)),
    ]),
  ),
  'v5, as it is': goPayload(
    { 'Content-Type': 'application/json', 'Micro-ID': '0b9c', 'Micro-Topic': TOPIC },
    base64(HI_JSON),
  ),
  ...Object.fromEntries(
    ['application/grpc', 'application/grpc+proto'].map((type) => [
      `v5, ${type}`,
      goPayload({ 'Content-Type': type, 'Micro-ID': '0b9c', 'Micro-Topic': TOPIC }, base64(framed(HI))),
    ]),
  ),
  'v5, application/grpc+json': goPayload(
    { 'Content-Type': 'application/grpc+json', 'Micro-ID': '0b9c', 'Micro-Topic': TOPIC },
    base64(framed(Buffer.from(HI_JSON))),
  ),
  'v5, application/protobuf': goPayload(
    { 'Content-Type': 'application/protobuf', 'Micro-ID': '0b9c', 'Micro-Topic': TOPIC },
    base64(HI),
  ),
}

/** What Go services can read that Comet has published. */
export interface GoReading {
  readonly header: Readonly<Record<string, string>>
  readonly fields: Readonly<Record<string, unknown>>
}

/**
 * Reads a payload by the rules of both go-micro v2 and v5: a map of texts and a body in padded base64, which is protobuf
 * without a frame. Fails where one of them would drop the message.
 */
export function readAsGo(topic: string, payload: Buffer | string, message = 'Event'): GoReading {
  const { Header: header, Body: body, ...rest } = JSON.parse(payload.toString())
  assert.deepEqual(rest, {})
  for (const value of Object.values(header)) assert.equal(typeof value, 'string')
  assert.equal(header['Content-Type'], 'application/protobuf')
  assert.equal(header['Micro-Topic'], topic)
  const bytes = Buffer.from(body, 'base64')
  assert.equal(bytes.toString('base64'), body)
  return { header, fields: new OtherCodec(message).decode(bytes) }
}
