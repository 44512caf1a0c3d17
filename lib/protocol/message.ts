import { encodeInt64, encodeString, int64Field, parseObject, stringField, stringifyFields } from './json.ts'

/**
 * General content of a server-sent event (protocol: object Message), which is written as JSON and carried in
 * `Event.evt`. Its `id` is the app's own. The `id:` of the event stream is something else: a position.
 */
export interface Message {
  /** The server that generated the event. */
  readonly server?: string
  /** The type of event. */
  readonly event?: string
  /** The data. */
  readonly data?: string
  /** The event ID. */
  readonly id?: string
  /** When it happened: nanoseconds since January 1, 1970 UTC, an int64. */
  readonly time?: bigint
}

const ENCODERS = {
  server: encodeString,
  event: encodeString,
  data: encodeString,
  id: encodeString,
  time: encodeInt64,
}

/**
 * Writes a Message as JSON, byte for byte as Go's encoding/json does: fields in the protocol's order, zero values left
 * out, `time` as a bare integer.
 *
 * @throws CometError INVALID_FIELD
 */
export function stringifyMessage(message: Message): string {
  return stringifyFields('Message', ENCODERS, message)
}

/**
 * Parses a Message from JSON, with `time` exact whether it is a bare integer or a string. Absent fields get proto3's
 * defaults, `''` and `0n`. Ignores unknown fields.
 *
 * @throws CometError INVALID_JSON, INVALID_FIELD
 */
export function parseMessage(text: string): Required<Message> {
  const object = parseObject('Message', text)
  return {
    server: stringField(object, 'server'),
    event: stringField(object, 'event'),
    data: stringField(object, 'data'),
    id: stringField(object, 'id'),
    time: int64Field(object, 'time'),
  }
}
