import { randomUUID } from 'node:crypto'
import { asAppError, CometError } from '../errors.ts'
import type { Node } from '../node/node.ts'
import type { ResolvedOptions } from '../options.ts'
import type { Envelope } from '../ports/broker.ts'
import { stringifyMessage } from '../protocol/message.ts'
import type { Target } from '../protocol/target.ts'
import { now } from '../util/clock.ts'
import { messageOf } from '../util/is-error.ts'
import { kindOf } from '../util/kind-of.ts'
import { checkKeys } from '../util/known-keys.ts'
import { checkRid, checkTarget, checkUid, exceedsBytes, type Rid, type Uid } from '../util/validate.ts'

/** The events of an app by name, each with the type of its data. */
export type EventMap = Record<string, unknown>

/** The type and data of a Message: any, or one of those that the app's event map names. */
type Content<Events> = string extends keyof Events
  ? {
      /** The type of event. */
      readonly event?: string
      /** The data. Anything but a string is encoded as JSON. */
      readonly data?: unknown
    }
  : { [Name in keyof Events & string]: { readonly event: Name } & Data<Events[Name]> }[keyof Events & string]

type Data<T> = undefined extends T ? { readonly data?: T } : { readonly data: T }

/** A Message to publish. Comet fills in `server`, `id` and `time`. */
export type MessageInput<Events = EventMap> = Content<Events> & {
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

/**
 * The receivers of an event: a user, else a room, else the world. With both keys, `uid` decides. A key that is present
 * must not be undefined, null or empty: an event for one must not reach all by mistake.
 */
export type PublishTarget =
  | { readonly uid: Uid; readonly rid?: Rid }
  | { readonly uid?: never; readonly rid: Rid }
  | { readonly uid?: never; readonly rid?: never }

/** An event to publish: a text, which reaches clients unchanged except for line ends, or a Message. */
export type Publication<Events = EventMap> = PublishTarget & { readonly evt: string | MessageInput<Events> }

/** Options of `comet.publish`. */
export interface PublishOptions {
  /**
   * A user or a session that the event passes over, such as its author.
   *
   * @default undefined: nobody
   */
  readonly except?: { readonly uid: Uid } | { readonly sid: string }
  /**
   * Whether the event matters only now, as a typing notice does. It is not stored in the history then.
   *
   * @default false
   */
  readonly transient?: boolean
}

const EVENT_KEYS = ['uid', 'rid', 'evt'] as const
const OPTION_KEYS = ['except', 'transient'] as const
const MESSAGE_KEYS = ['server', 'event', 'data', 'id', 'time'] as const

/**
 * Publishes an event.
 *
 * @returns settles when the broker took it
 * @throws CometError as {@link toEnvelope}, or SHUTTING_DOWN
 */
export async function publish(node: Node, event: unknown, options: unknown): Promise<void> {
  try {
    const envelope = toEnvelope(event, options, node.options)
    if (node.closed) throw new CometError('SHUTTING_DOWN', 'This Comet was closed.')
    await node.broker.publish(envelope)
  } catch (error) {
    throw asAppError(error)
  }
  node.counters.published += 1
}

const TARGET_KEYS = ['uid', 'rid'] as const

/**
 * Checks a target without an event: `{ user: 'alice' }` must not mean the world.
 *
 * @throws CometError INVALID_TARGET
 */
export function checkPublishTarget(target: unknown, maxIdBytes: number): Target {
  const checked = checkKeys('The target', target, TARGET_KEYS, 'INVALID_TARGET')
  return targetOf(checked, maxIdBytes) as Target
}

/**
 * Checks an event and the options of `publish`, and encodes the event for the broker.
 *
 * @throws CometError INVALID_TARGET, INVALID_EVENT, INVALID_FIELD, INVALID_ID (of `except`), EVENT_TOO_LARGE
 */
export function toEnvelope(
  publication: unknown,
  publishOptions: unknown,
  options: ResolvedOptions,
): Envelope {
  const event = checkKeys('The event', publication, EVENT_KEYS, 'INVALID_EVENT')
  const { except, transient = false } = checkKeys(
    'The options of publish',
    publishOptions,
    OPTION_KEYS,
    'INVALID_EVENT',
  )
  if (typeof transient !== 'boolean') {
    throw new CometError('INVALID_EVENT', `Option transient must be a boolean, not ${kindOf(transient)}.`)
  }
  // Not by spreads, which took a quarter of the time of publishing.
  const envelope = targetOf(event, options.maxIdBytes) as Writable<Envelope>
  envelope.evt = encodeEvt(event.evt, options)
  if (except !== undefined) {
    envelope.except = checkTarget('Option except', except, ['uid', 'sid'], options.maxIdBytes)
  }
  if (transient) envelope.transient = true
  return envelope
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] }

/**
 * Checks the target of an event: a `uid` or `rid` that is present must not be undefined, null or empty.
 *
 * @throws CometError INVALID_TARGET
 */
export function targetOf(event: object, maxIdBytes: number): { uid?: string; rid?: string } {
  try {
    const target: { uid?: string; rid?: string } = {}
    if ('uid' in event) target.uid = checkUid('uid', event.uid, maxIdBytes)
    if ('rid' in event) target.rid = checkRid('rid', event.rid, maxIdBytes)
    return target
  } catch (cause) {
    const hint = 'To publish to the world, leave uid and rid out.'
    throw new CometError('INVALID_TARGET', `${messageOf(cause)}. ${hint}`, { cause })
  }
}

function encodeEvt(evt: unknown, options: ResolvedOptions): string {
  const text = typeof evt === 'string' ? evt : stringifyMessage(completeMessage(evt, options))
  const { maxEventBytes } = options
  if (!exceedsBytes(text, maxEventBytes)) return text
  throw new CometError(
    'EVENT_TOO_LARGE',
    `evt must have at most ${maxEventBytes} bytes (option maxEventBytes).`,
  )
}

function completeMessage(evt: unknown, options: ResolvedOptions) {
  const message = checkKeys('evt, unless it is a string,', evt, MESSAGE_KEYS, 'INVALID_EVENT')
  const { server = options.server, event, data, id = randomUUID(), time = now() } = message
  return { server, event, data: encodeData(data), id, time } as Parameters<typeof stringifyMessage>[0]
}

function encodeData(data: unknown): string | undefined {
  if (data === undefined || typeof data === 'string') return data
  try {
    const text = JSON.stringify(data)
    if (text !== undefined) return text
  } catch (cause) {
    throw new CometError('INVALID_EVENT', `evt.data is not JSON: ${messageOf(cause)}`, { cause })
  }
  throw new CometError('INVALID_EVENT', `evt.data is not JSON, but ${kindOf(data)}.`)
}
