import { randomUUID } from 'node:crypto'
import { CometError } from '../errors.ts'
import type { Node } from '../node/node.ts'
import type { ResolvedOptions } from '../options.ts'
import type { Envelope } from '../ports/broker.ts'
import { stringifyMessage } from '../protocol/message.ts'
import { now } from '../util/clock.ts'
import { kindOf } from '../util/kind-of.ts'
import { checkId, checkTarget, checkUid, exceedsBytes, type Uid } from '../util/validate.ts'

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
  | { readonly uid: Uid; readonly rid?: string }
  | { readonly uid?: never; readonly rid: string }
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
  const envelope = toEnvelope(event, options, node.options)
  if (node.closed) throw new CometError('SHUTTING_DOWN', 'This Comet was closed.')
  await node.broker.publish(envelope)
  node.counters.published += 1
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
  const event = checkObject('The event', publication, EVENT_KEYS)
  const { except, transient = false } = checkObject('The options of publish', publishOptions, OPTION_KEYS)
  if (typeof transient !== 'boolean') {
    throw new CometError('INVALID_EVENT', `Option transient must be a boolean, not ${kindOf(transient)}.`)
  }
  return {
    ...targetOf(event, options.maxIdBytes),
    evt: encodeEvt(event.evt, options),
    ...(except === undefined
      ? {}
      : { except: checkTarget('Option except', except, ['uid', 'sid'], options.maxIdBytes) }),
    ...(transient ? { transient } : {}),
  }
}

/**
 * Checks the target of an event: a `uid` or `rid` that is present must not be undefined, null or empty.
 *
 * @throws CometError INVALID_TARGET
 */
export function targetOf(event: object, maxIdBytes: number): { uid?: string; rid?: string } {
  try {
    return {
      ...('uid' in event ? { uid: checkUid('uid', event.uid, maxIdBytes) } : {}),
      ...('rid' in event ? { rid: checkId('rid', event.rid, maxIdBytes) } : {}),
    }
  } catch (cause) {
    const hint = 'To publish to the world, leave uid and rid out.'
    throw new CometError('INVALID_TARGET', `${(cause as Error).message}. ${hint}`, { cause })
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
  const message = checkObject('evt, unless it is a string,', evt, MESSAGE_KEYS)
  const { server = options.server, event, data, id = randomUUID(), time = now() } = message
  return { server, event, data: encodeData(data), id, time } as Parameters<typeof stringifyMessage>[0]
}

function encodeData(data: unknown): string | undefined {
  if (data === undefined || typeof data === 'string') return data
  try {
    const text = JSON.stringify(data)
    if (text !== undefined) return text
  } catch (cause) {
    throw new CometError('INVALID_EVENT', `evt.data is not JSON: ${(cause as Error).message}`, { cause })
  }
  throw new CometError('INVALID_EVENT', `evt.data is not JSON, but ${kindOf(data)}.`)
}

/** Checks that a value is a plain object with known keys: `{ user: 'alice' }` must not be published to everybody. */
function checkObject(name: string, value: unknown, known: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new CometError('INVALID_EVENT', `${name} must be an object, not ${kindOf(value)}.`)
  }
  const keys = Object.keys(value)
  const unknown = keys.find((key) => !known.includes(key))
  if (unknown !== undefined) {
    throw new CometError(
      'INVALID_EVENT',
      `${name} may have ${known.join(', ')}, but not ${JSON.stringify(unknown)}.`,
    )
  }
  // A Date, a Map or a Promise has no keys of its own: what it holds would be lost.
  if (keys.length === 0 && !isPlain(value)) {
    throw new CometError('INVALID_EVENT', `${name} must be a plain object, not a ${value.constructor?.name}.`)
  }
  return value as Record<string, unknown>
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}
