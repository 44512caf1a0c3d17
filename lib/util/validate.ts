import { CometError } from '../errors.ts'
import { kindOf } from './kind-of.ts'

/** A user's id: a string, or an integer, which becomes its decimal text. */
export type Uid = string | number | bigint

/** A room's id: a string, or an integer, which becomes its decimal text. */
export type Rid = string | number | bigint

/** CR, LF and NUL cannot stand in a field of an event stream (WHATWG HTML, section 9.2.6). */
const FORBIDDEN = /[\r\n\0]/

/**
 * Checks an id: text of 1 to `maxBytes` bytes in UTF-8, without CR, LF, NUL or lone surrogates.
 *
 * @param name what the caller calls the id, for the error message
 * @param limit what sets `maxBytes`, for the error message
 * @throws CometError INVALID_ID
 */
export function checkId(name: string, value: unknown, maxBytes: number, limit = 'option maxIdBytes'): string {
  if (typeof value !== 'string') throw invalidId(name, `must be a string, not ${kindOf(value)}`)
  if (value === '') throw invalidId(name, 'must not be empty')
  if (FORBIDDEN.test(value)) throw invalidId(name, 'must not contain CR, LF or NUL')
  if (!value.isWellFormed()) throw invalidId(name, 'must not contain a lone surrogate')
  if (exceedsBytes(value, maxBytes)) {
    throw invalidId(name, `must have at most ${maxBytes} bytes (${limit})`)
  }
  return value
}

/** Checks a uid as {@link checkId} does; it may also be an integer. */
export function checkUid(name: string, value: unknown, maxBytes: number): string {
  return checkIdOrInteger(name, value, maxBytes)
}

/** Checks a rid that the app gives, as {@link checkId} does; it may also be an integer. */
export function checkRid(name: string, value: unknown, maxBytes: number): string {
  return checkIdOrInteger(name, value, maxBytes)
}

function checkIdOrInteger(name: string, value: unknown, maxBytes: number): string {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw invalidId(name, `must be a safe integer, not ${value}`)
  }
  // Such as an ObjectId of MongoDB.
  if (kindOf(value) === 'an object') {
    throw invalidId(name, 'must be a string or an integer, not an object: give String(id)')
  }
  const text = typeof value === 'number' || typeof value === 'bigint' ? value.toString() : value
  return checkId(name, text, maxBytes)
}

/** Checks a sid as {@link checkId} does. The bound only keeps abuse out: sids that Comet makes are shorter. */
export function checkSid(value: unknown, name = 'sid'): string {
  return checkId(name, value, 256, 'no sid is longer')
}

type Key = 'uid' | 'sid' | 'rid'

/** An object with exactly one of some keys. */
type Sole<K extends Key> = { [Name in K]: Readonly<Record<Name, string>> }[K]

/**
 * Checks a target of a method: an object with exactly one of some keys, such as `{ uid }` or `{ sid }`. Two keys are
 * refused, because the caller may mean either.
 *
 * @param name what the caller calls the target, for the error message
 * @throws CometError INVALID_ID
 */
export function checkTarget<K extends Key>(
  name: string,
  value: unknown,
  keys: readonly K[],
  maxIdBytes: number,
): Sole<K> {
  const key = checkSoleKey(name, value, keys)
  return { [key]: checkKey(key, (value as Record<K, unknown>)[key], maxIdBytes) } as Sole<K>
}

/** Finds the one key of a target. See {@link checkTarget}. @throws CometError INVALID_ID */
export function checkSoleKey<K extends Key>(name: string, value: unknown, keys: readonly K[]): K {
  const given = typeof value === 'object' && value !== null ? Object.keys(value) : []
  const [key] = keys.filter((known) => given.includes(known))
  if (key !== undefined && given.length === 1) return key
  const found = given.length > 0 ? `an object with ${given.join(', ')}` : emptyKindOf(value)
  throw invalidId(name, `must be ${keys.map((known) => `{ ${known} }`).join(' or ')}, not ${found}`)
}

/**
 * Checks one id, or a list of them.
 *
 * @param most the most ids that a list may have
 * @returns each id once
 * @throws CometError INVALID_ID, which names the place in the list
 */
export function checkIds(key: Key, value: unknown, maxIdBytes: number, most: number): readonly string[] {
  if (!Array.isArray(value)) return [checkKey(key, value, maxIdBytes)]
  if (value.length > most) throw invalidId(key, `must name at most ${most} (option maxTargets)`)
  // Not by map, which passes over the holes of an array.
  return Array.from(new Set(Array.from(value, (id, at) => checkKey(key, id, maxIdBytes, `${key}[${at}]`))))
}

function checkKey(key: Key, value: unknown, maxIdBytes: number, name: string = key): string {
  return key === 'sid' ? checkSid(value, name) : checkIdOrInteger(name, value, maxIdBytes)
}

/** Tells whether a text has more than `maxBytes` bytes in UTF-8. Runs in browsers, too: it needs no Buffer. */
export function exceedsBytes(text: string, maxBytes: number): boolean {
  // UTF-8 takes at most three bytes per UTF-16 unit, so most texts need no counting.
  return text.length * 3 > maxBytes && new TextEncoder().encode(text).length > maxBytes
}

/** Names the kind of a value without keys. */
function emptyKindOf(value: unknown): string {
  return kindOf(value) === 'an object' ? 'an empty object' : kindOf(value)
}

function invalidId(name: string, problem: string): CometError {
  return new CometError('INVALID_ID', `${name} ${problem}`)
}
