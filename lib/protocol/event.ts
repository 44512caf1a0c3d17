import { encodeString, parseObject, stringField, stringifyFields } from './json.ts'

/**
 * The receivers of an Event: a user, else a room, else the world. With both keys, `uid` decides.
 *
 * The union makes the compiler refuse `{ uid: user?.id }`: a target that may be missing must not become the world by
 * accident.
 */
type EventTarget =
  | { readonly uid: string; readonly rid?: string }
  | { readonly uid?: never; readonly rid: string }
  | { readonly uid?: never; readonly rid?: never }

/**
 * An event for a user, a room or the world (protocol: object Event). In JSON, an absent, a null and an empty `uid` or
 * `rid` mean the same, because proto3 has no absent fields; `parseEvent` leaves the key out.
 */
export type Event = EventTarget & {
  /** The text that clients get as `data`. Comet does not read it. */
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
