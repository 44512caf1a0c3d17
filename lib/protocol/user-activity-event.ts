import {
  encodeInt64,
  encodeString,
  int64Field,
  invalid,
  parseObject,
  stringField,
  stringifyFields,
} from './json.ts'

const Type = {
  UNSPECIFIED: 0,
  /** The user's first session connected. */
  ONLINE: 1,
  /** The user's last session is gone, and its grace is over. */
  OFFLINE: 2,
  /** The user sent a packet, or the app called `comet.heard`. */
  HEARD: 3,
  /** The user entered a room. */
  ENTER_ROOM: 4,
  /** The user left a room. */
  LEAVE_ROOM: 5,
} as const

/** An activity of a user (protocol: object UserActivityEvent). */
export class UserActivityEvent {
  /** The values of {@link UserActivityEvent.type} by name (protocol: enum UserActivityEvent.Type). */
  static readonly Type = Type

  /** The type of activity. */
  readonly type: UserActivityEvent.Type
  /** The user. */
  readonly uid: string
  /** The room that the user entered or left. Absent for the other types. */
  declare readonly rid?: string
  /** When it happened: nanoseconds since January 1, 1970 UTC, never decreasing within a process. */
  readonly time: bigint

  constructor({ type, uid, rid, time }: UserActivityEvent.Fields) {
    this.type = type
    this.uid = uid
    if (rid) this.rid = rid
    this.time = time
  }

  /** Used by `JSON.stringify`, for logs: `time` is a decimal string, because JSON.stringify throws for a bigint. */
  toJSON(): { type: UserActivityEvent.Type; uid: string; rid?: string; time: string } {
    const { type, uid, rid, time } = this
    return { type, uid, ...(rid === undefined ? {} : { rid }), time: time.toString() }
  }
}

/** The types that belong to {@link UserActivityEvent}. */
export declare namespace UserActivityEvent {
  /** A value of {@link UserActivityEvent.type}. */
  export type Type = (typeof Type)[keyof typeof Type]

  /** The fields of a UserActivityEvent. */
  export interface Fields {
    readonly type: Type
    readonly uid: string
    readonly rid?: string | undefined
    readonly time: bigint
  }
}

const ENCODERS = { type: encodeType, uid: encodeString, rid: encodeString, time: encodeInt64 }

/**
 * Writes a UserActivityEvent as JSON, as Go's encoding/json does: `type` as a number, `time` as a bare integer, zero
 * values left out.
 *
 * @throws CometError INVALID_FIELD
 */
export function stringifyUserActivityEvent(event: UserActivityEvent.Fields): string {
  return stringifyFields('UserActivityEvent', ENCODERS, event)
}

/**
 * Parses a UserActivityEvent from JSON: `type` as a number or a name, `time` as a bare integer or a string. Ignores
 * unknown fields.
 *
 * @throws CometError INVALID_JSON, INVALID_FIELD
 */
export function parseUserActivityEvent(text: string): UserActivityEvent {
  const object = parseObject('UserActivityEvent', text)
  const type = Object.hasOwn(object.members, 'type') ? object.members.type : undefined
  return new UserActivityEvent({
    type: checkType(type ?? Type.UNSPECIFIED),
    uid: stringField(object, 'uid'),
    rid: stringField(object, 'rid'),
    time: int64Field(object, 'time'),
  })
}

function encodeType(_name: string, value: unknown): string | undefined {
  const type = checkType(value)
  return type === Type.UNSPECIFIED ? undefined : String(type)
}

function checkType(value: unknown): UserActivityEvent.Type {
  for (const [name, number] of Object.entries(Type)) {
    if (value === name || value === number) return number
  }
  throw invalid('UserActivityEvent.type', `must be one of ${Object.keys(Type).join(', ')} or its number`)
}
