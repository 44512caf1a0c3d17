// Stands for a Go service: it writes to NATS what go-micro v2 and v5 write, and knows nothing of Comet. What a real one
// looks like is in ../README.md.
import { connect } from '@nats-io/transport-node'

const EVENTS = 'io.goeasy.service.comet'
const ACTIVITY = 'io.goeasy.topic.user-activity'

/** The types of UserActivityEvent, by number. */
const TYPES = ['UNSPECIFIED', 'ONLINE', 'OFFLINE', 'HEARD', 'ENTER_ROOM', 'LEAVE_ROOM']

/** The JSON of a Message, as Go's `encoding/json` writes it. */
const MESSAGE =
  '{"server":"io.goeasy.cli.pub","event":"demo","data":"\\u003cb\\u003e","time":1700000000123456789}'

/** What it publishes, one after the other: one each time that it hears HEARD. */
const PUBLICATIONS = [
  // To the user u1, as go-micro v2 does: protobuf. Captured from v2.9.1.
  '{"Header":{"Content-Type":"application/grpc+proto","Micro-From-Service":"io.goeasy.cli.pub","Micro-Topic":"io.goeasy.service.comet"},"Body":"CgJ1MRoCaGk="}',
  // To the room r1, as v5 does: JSON.
  payloadOfV5('application/json', '{"rid":"r1","evt":"from v5, to the room"}\n'),
  // To the world, as v5 does in protobuf: in a frame of gRPC.
  payloadOfV5('application/grpc+proto', framed(eventOf(MESSAGE))),
]

const nats = await connect({ servers: process.env.NATS_URL, name: 'go-service', maxReconnectAttempts: -1 })
let published = 0
nats.subscribe(ACTIVITY, {
  callback: (_error, { data }) => {
    const { Body } = JSON.parse(new TextDecoder().decode(data))
    const { type, uid, rid, time } = activityOf(Buffer.from(Body, 'base64'))
    console.log(`Go service heard: ${[type, uid, rid].join(' ').trim()} (${time})`)
    if (type === 'HEARD') publish()
  },
})
await nats.flush()
process.send?.('ready')
// Its parent lets go of it last, so it hears also of the users who go offline at the end.
process.once('disconnect', () => nats.drain())

function publish() {
  const payload = PUBLICATIONS[published % PUBLICATIONS.length]
  published += 1
  if (payload !== undefined) nats.publish(EVENTS, payload)
}

/**
 * Reads a UserActivityEvent from protobuf: type = 1, uid = 2, rid = 3, time = 5.
 *
 * @param {Buffer} bytes
 */
function activityOf(bytes) {
  let at = 0
  const integer = () => {
    for (let value = 0n, shift = 0n; ; shift += 7n) {
      const byte = bytes[at] ?? 0
      at += 1
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return value
    }
  }
  /** @type {Record<number, bigint | string>} */
  const fields = {}
  while (at < bytes.length) {
    const tag = Number(integer())
    const value = integer()
    // The last three bits say what follows: 0 is the integer itself, and 2 a text of so many bytes.
    const end = at + ((tag & 7) === 0 ? 0 : Number(value))
    fields[tag >> 3] = end === at ? value : bytes.toString('utf8', at, end)
    at = end
  }
  const { 1: type = 0n, 2: uid = '', 3: rid = '', 5: time = 0n } = fields
  return { type: TYPES[Number(type)], uid, rid, time }
}

/**
 * Writes an Event to the world in protobuf: evt = 3, with a length below 128.
 *
 * @param {string} evt
 */
function eventOf(evt) {
  const text = Buffer.from(evt)
  return Buffer.concat([Buffer.from([0x1a, text.length]), text])
}

/**
 * Puts the frame of gRPC around a message: a byte that says that it is not compressed, and its length.
 *
 * @param {Buffer} message
 */
function framed(message) {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

/**
 * Writes the payload of NATS as go-micro v5 does.
 *
 * @param {string} type
 * @param {string | Buffer} body
 */
function payloadOfV5(type, body) {
  const Header = { 'Content-Type': type, 'Micro-ID': crypto.randomUUID(), 'Micro-Topic': EVENTS }
  return JSON.stringify({ Header, Body: Buffer.from(body).toString('base64') })
}
