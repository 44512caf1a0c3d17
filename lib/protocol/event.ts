import { encodeString, parseObject, stringField, stringifyFields } from './json.ts'
import type { Target } from './target.ts'

/**
 * An asynchronous message to users (protocol: object Event). In an object an absent `uid` or `rid` is a missing key; on
 * the wire it is the empty string, because proto3 has no absent fields.
 */
export type Event = Target & {
  /** The server-sent event that goes to the client, opaque to Comet. */
  readonly evt: string
}

const ENCODERS = { uid: encodeString, rid: encodeString, evt: encodeString }

/**
 * Writes an Event as JSON, as Go's encoding/json does.
 *
 * @throws CometError INVALID_FIELD
 */
export function stringifyEvent(event: Event): string {
  return stringifyFields('Event', ENCODERS, event)
}

/**
 * Parses an Event from JSON. Ignores unknown fields.
 *
 * @throws CometError INVALID_JSON, INVALID_FIELD
 */
export function parseEvent(text: string): Event {
  const object = parseObject('Event', text)
  const uid = stringField(object, 'uid')
  const rid = stringField(object, 'rid')
  const evt = stringField(object, 'evt')
  if (uid !== '') return rid === '' ? { uid, evt } : { uid, rid, evt }
  return rid === '' ? { evt } : { rid, evt }
}
