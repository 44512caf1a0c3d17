import { randomUUID } from 'node:crypto'
import { CometError } from '../errors.ts'
import type { ResolvedOptions } from '../options.ts'
import type { Envelope, Except, Receivers } from '../ports/broker.ts'
import { isReservedName } from '../protocol/control-events.ts'
import { stringifyMessage } from '../protocol/message.ts'
import { now } from '../util/clock.ts'
import { messageOf } from '../util/is-error.ts'
import { kindOf } from '../util/kind-of.ts'
import { checkKeys, type Unchecked } from '../util/known-keys.ts'
import { exceedsBytes } from '../util/validate.ts'
import { exceptOf, receiversOf, TARGET_KEYS } from './receivers.ts'

const EVENT_KEYS = [...TARGET_KEYS, 'event', 'data', 'evt'] as const
const OPTION_KEYS = ['except', 'transient'] as const
const MESSAGE_KEYS = ['server', 'event', 'data', 'id', 'time'] as const

type Writable<T> = { -readonly [Key in keyof T]: T[Key] }

/**
 * Checks an event and the options of `publish`, and encodes the event for the broker.
 *
 * @returns undefined when it reaches nobody, because its list of receivers is empty
 * @throws CometError INVALID_TARGET, INVALID_EVENT, INVALID_FIELD, INVALID_ID (of `except`), EVENT_TOO_LARGE
 */
export function toEnvelope(
  publication: unknown,
  publishOptions: unknown,
  options: ResolvedOptions,
): Envelope | undefined {
  const event = checkKeys('The event', publication, EVENT_KEYS, 'INVALID_EVENT')
  return addressed(addressOf(event, publishOptions, options), contentOf(event, options))
}

/**
 * Checks the target and the options of several events, once for all of them.
 *
 * @returns encodes a named event as {@link toEnvelope} does
 * @throws CometError INVALID_TARGET, INVALID_EVENT, INVALID_ID (of `except`)
 */
export function envelopesTo(
  target: unknown,
  publishOptions: unknown,
  options: ResolvedOptions,
): (event: string, data: unknown) => Envelope | undefined {
  const checked = checkKeys('The target', target, TARGET_KEYS, 'INVALID_TARGET')
  const address = addressOf(checked, publishOptions, options)
  return (event, data) => addressed(address, namedContentOf(event, data, options))
}

/** The part of an envelope that does not depend on what is in it. */
interface Address {
  /** Undefined: nobody. */
  readonly to: Receivers | undefined
  readonly except: Except | undefined
  readonly transient: boolean
}

function addressOf(
  target: Unchecked<(typeof TARGET_KEYS)[number]>,
  publishOptions: unknown,
  options: ResolvedOptions,
): Address {
  const { except, transient = false } = checkKeys(
    'The options of publish',
    publishOptions,
    OPTION_KEYS,
    'INVALID_EVENT',
  )
  if (typeof transient !== 'boolean') {
    throw new CometError('INVALID_EVENT', `Option transient must be a boolean, not ${kindOf(transient)}.`)
  }
  const to = receiversOf(target, options)
  return { to, except: except === undefined ? undefined : exceptOf(except, options), transient }
}

type Content = Pick<Envelope, 'event' | 'data'>

function addressed({ to, except, transient }: Address, content: Content): Envelope | undefined {
  if (to === undefined) return undefined
  // Not by spreads, which took a quarter of the time of publishing.
  const envelope = content as Writable<Envelope>
  envelope.to = to
  if (except !== undefined) envelope.except = except
  if (transient) envelope.transient = true
  return envelope
}

function contentOf(event: Unchecked<(typeof EVENT_KEYS)[number]>, options: ResolvedOptions): Content {
  const isNamed = 'event' in event || 'data' in event
  if (isNamed && 'evt' in event) {
    throw new CometError('INVALID_EVENT', 'An event must have event and data, or evt, but not both.')
  }
  if (isNamed) return namedContentOf(checkName('event', event.event, options), event.data, options)
  return { data: checkSize('evt', textOf(event.evt, options), options.maxEventBytes) }
}

function namedContentOf(event: string, data: unknown, { maxEventBytes }: ResolvedOptions): Content {
  return { event, data: checkSize('data', jsonOf('data', data) ?? 'null', maxEventBytes) }
}

/** ASCII's control characters: a field of SSE cannot have line ends and NUL, and the others are mistakes. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must be found.
const CONTROL = /[\u0000-\u001f\u007f]/

/**
 * Checks the name of an event.
 *
 * @param key what the caller calls it, for the error message
 * @throws CometError INVALID_EVENT
 */
export function checkName(key: string, name: unknown, { maxIdBytes }: ResolvedOptions): string {
  const wrong = (problem: string) => new CometError('INVALID_EVENT', `${key} must ${problem}.`)
  if (name === undefined)
    throw new CometError('INVALID_EVENT', `The event has no name: give ${key}, a string.`)
  if (typeof name !== 'string') throw wrong(`be a string, not ${kindOf(name)}`)
  if (name === '') throw wrong('not be empty')
  if (CONTROL.test(name)) throw wrong('not contain control characters')
  if (!name.isWellFormed()) throw wrong('not contain a lone surrogate')
  if (exceedsBytes(name, maxIdBytes)) throw wrong(`have at most ${maxIdBytes} bytes (option maxIdBytes)`)
  if (isReservedName(name)) {
    throw wrong('not be error, open, message or comet.…, which EventSource and Comet use')
  }
  return name
}

function textOf(evt: unknown, options: ResolvedOptions): string {
  return typeof evt === 'string' ? evt : stringifyMessage(completeMessage(evt, options))
}

function checkSize(what: string, text: string, maxEventBytes: number): string {
  if (!exceedsBytes(text, maxEventBytes)) return text
  throw new CometError(
    'EVENT_TOO_LARGE',
    `${what} must have at most ${maxEventBytes} bytes (option maxEventBytes).`,
  )
}

function completeMessage(evt: unknown, options: ResolvedOptions) {
  const message = checkKeys('evt, unless it is a string,', evt, MESSAGE_KEYS, 'INVALID_EVENT')
  const { server = options.server, event, data, id = randomUUID(), time = now() } = message
  const text = typeof data === 'string' ? data : jsonOf('evt.data', data)
  return { server, event, data: text, id, time } as Parameters<typeof stringifyMessage>[0]
}

/** Encodes data as JSON. @returns undefined for undefined */
function jsonOf(name: string, data: unknown): string | undefined {
  if (data === undefined) return undefined
  let text: string | undefined
  try {
    text = JSON.stringify(data)
  } catch (cause) {
    throw new CometError('INVALID_EVENT', `${name} is not JSON: ${messageOf(cause)}`, { cause })
  }
  if (text !== undefined) return text
  throw new CometError('INVALID_EVENT', `${name} is not JSON, but ${kindOf(data)}.`)
}
