import { randomUUID } from 'node:crypto'
import { CometError } from '../errors.ts'
import { checkId, checkUid, kindOf, type Uid } from '../ids.ts'
import type { ResolvedOptions } from '../options.ts'
import type { Envelope } from '../ports/broker.ts'
import { stringifyMessage } from '../protocol/message.ts'
import { checkTarget } from '../protocol/target.ts'
import { now } from '../util/clock.ts'

/** The events of an application by their name, each with the type of its data. */
export type EventMap = Record<string, unknown>

/** The type and data of a Message: any, or where the application names its events, one of them. */
type Content<Events> = string extends keyof Events
  ? {
      /** The type of event. */
      readonly event?: string
      /** The data; what is not a string is JSON-encoded. */
      readonly data?: unknown
    }
  : { [Name in keyof Events & string]: { readonly event: Name } & Data<Events[Name]> }[keyof Events & string]

type Data<T> = undefined extends T ? { readonly data?: T } : { readonly data: T }

/** A Message to publish. What is left out of `server`, `id` and `time` is completed. */
export type MessageInput<Events = EventMap> = Content<Events> & {
  /** Default: the option `server`. */
  readonly server?: string
  /** Default: a random one. */
  readonly id?: string
  /** Nanoseconds since January 1, 1970 UTC. Default: now. */
  readonly time?: bigint
}

/**
 * Whom an event is for: a user, else a room, else the world. With both, `uid` decides. A `uid` or `rid` that is
 * there must not be undefined, null or empty: what was meant for one must not reach all.
 */
export type PublishTarget =
  | { readonly uid: Uid; readonly rid?: string }
  | { readonly uid?: never; readonly rid: string }
  | { readonly uid?: never; readonly rid?: never }

/** An event to publish: text that reaches the client as it is, or a Message. */
export type Publication<Events = EventMap> = PublishTarget & { readonly evt: string | MessageInput<Events> }

export interface PublishOptions {
  /** Passes over a user or one session, such as the one who caused the event. Default: nobody. */
  readonly except?: { readonly uid: Uid } | { readonly sid: string }
  /** For what matters only now, such as typing notices: never kept for later. Default: false. */
  readonly transient?: boolean
}

const EVENT_KEYS = ['uid', 'rid', 'evt'] as const
const OPTION_KEYS = ['except', 'transient'] as const
const MESSAGE_KEYS = ['server', 'event', 'data', 'id', 'time'] as const

/**
 * Checks what is to be published.
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
    evt: checkEvt(event.evt, options),
    ...(except === undefined
      ? {}
      : { except: checkTarget('Option except', except, ['uid', 'sid'], options.maxIdBytes) }),
    ...(transient ? { transient } : {}),
  }
}

/**
 * Checks a target: a `uid` or `rid` that is there must not be undefined, null or empty.
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

function checkEvt(evt: unknown, options: ResolvedOptions): string {
  const text = typeof evt === 'string' ? evt : stringifyMessage(complete(evt, options))
  const { maxEventBytes } = options
  // UTF-8 takes at most three bytes for a UTF-16 unit: most events need no counting.
  if (text.length * 3 <= maxEventBytes || Buffer.byteLength(text) <= maxEventBytes) return text
  throw new CometError(
    'EVENT_TOO_LARGE',
    `evt must have at most ${maxEventBytes} bytes (option maxEventBytes).`,
  )
}

function complete(evt: unknown, options: ResolvedOptions) {
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

/** A key that is not known is refused: `{ user: 'alice' }` must not tell everybody, and no data be lost unseen. */
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
  // A Date, a Map or a Promise keeps what it holds from being seen.
  if (keys.length === 0 && !isPlain(value)) {
    throw new CometError('INVALID_EVENT', `${name} must be a plain object, not a ${value.constructor?.name}.`)
  }
  return value as Record<string, unknown>
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}
