import type { Rid, Uid } from '../util/validate.ts'

/**
 * The events of an app that has no map of its own: any name, with any data. A Comet with a map is assignable to one
 * without.
 */
// biome-ignore lint/suspicious/noExplicitAny: with unknown, a map that is an interface would not be assignable.
export type EventMap = any

/** A name of the app's event map. */
export type EventName<Events> = keyof Events & string

/** The names of the events whose data may be undefined. */
type NameWithoutData<Events> = {
  [Name in EventName<Events>]: undefined extends Events[Name] ? Name : never
}[EventName<Events>]

type OneOrMany<T> = T | readonly T[]

/**
 * The receivers of an event: users, else rooms, else sessions, else the world. Each key takes one id or a list of at
 * most `maxTargets`; an id that is named twice counts once, and an empty list reaches nobody. With `uid` and `rid`,
 * `uid` decides. A key that is present must not be undefined, null or empty: an event for one must not reach all by
 * mistake.
 */
export type PublishTarget =
  | { readonly uid: OneOrMany<Uid>; readonly rid?: OneOrMany<Rid>; readonly sid?: never }
  | { readonly uid?: never; readonly rid: OneOrMany<Rid>; readonly sid?: never }
  | { readonly uid?: never; readonly rid?: never; readonly sid: OneOrMany<string> }
  | { readonly uid?: never; readonly rid?: never; readonly sid?: never }

/** One receiver of events: a user, else a room, else a session, else the world. As in {@link PublishTarget}. */
export type SingleTarget =
  | { readonly uid: Uid; readonly rid?: Rid; readonly sid?: never }
  | { readonly uid?: never; readonly rid: Rid; readonly sid?: never }
  | { readonly uid?: never; readonly rid?: never; readonly sid: string }
  | { readonly uid?: never; readonly rid?: never; readonly sid?: never }

/**
 * A named event, which reaches the listeners of that name: `source.addEventListener('chat', …)`. `data` always goes out
 * as JSON, strings too.
 */
export interface NamedEvent<Events, Name extends EventName<Events>> {
  /**
   * The name: 1 to `maxIdBytes` bytes without control characters. Not `error`, `open` or `message`, which EventSource
   * uses itself, and not `comet.…`.
   */
  readonly event: Name
  readonly data: Events[Name]
  readonly evt?: never
}

/** A named event whose data goes out as `null`. */
export interface BareEvent<Events> {
  readonly event: NameWithoutData<Events>
  readonly data?: undefined
  readonly evt?: never
}

/** An event as the protocol document has it. It arrives without a name: `source.onmessage`. */
export interface OpaqueEvent<Events> {
  /** A text, which reaches clients unchanged except for line ends, or a Message, which reaches them as JSON. */
  readonly evt: string | MessageInput<Events>
  readonly event?: never
  readonly data?: never
}

/** An event to publish, and its receivers. */
export type Publication<
  Events = EventMap,
  Name extends EventName<Events> = EventName<Events>,
> = PublishTarget & (NamedEvent<Events, Name> | BareEvent<Events> | OpaqueEvent<Events>)

/** The type and data of a Message: any, or one of those that the app's event map names. */
type MessageContent<Events> = string extends keyof Events
  ? {
      /** The type of event. */
      readonly event?: string
      /** The data. Anything but a string is encoded as JSON. */
      readonly data?: unknown
    }
  : {
      [Name in EventName<Events>]: { readonly event: Name } & MessageData<Events[Name]>
    }[EventName<Events>]

type MessageData<T> = undefined extends T ? { readonly data?: T } : { readonly data: T }

/** A Message to publish. Comet fills in `server`, `id` and `time`. */
export type MessageInput<Events = EventMap> = MessageContent<Events> & {
  /**
   * The server that generated the event.
   *
   * @default the option `server`
   */
  readonly server?: string
  /**
   * The event's id.
   *
   * @default a random UUID
   */
  readonly id?: string
  /**
   * When the event happened, in nanoseconds since January 1, 1970 UTC.
   *
   * @default now
   */
  readonly time?: bigint
}

/** Options of `comet.publish`. */
export interface PublishOptions {
  /**
   * Users or sessions that the event passes over, such as its author.
   *
   * @default undefined: nobody
   */
  readonly except?:
    | { readonly uid: OneOrMany<Uid>; readonly sid?: never }
    | { readonly uid?: never; readonly sid: OneOrMany<string> }
  /**
   * Whether the event matters only now, as a typing notice does. It is not stored in the history then.
   *
   * @default false
   */
  readonly transient?: boolean
}
