import { asAppError, CometError, callOfApp } from '../errors.ts'
import { kindOf } from '../util/kind-of.ts'

const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n

const INTEGER = /^-?(?:0|[1-9]\d*)$/

/**
 * The length of -(2^63), the longest int64. Longer texts are refused before they are parsed: BigInt may need seconds.
 */
const LONGEST_INT64 = 20

/** A JSON object, with the text that it was parsed from: the text keeps the digits that JSON.parse rounds. */
export interface JsonObject {
  readonly what: string
  readonly text: string
  readonly members: Record<string, unknown>
}

/**
 * Parses a JSON object.
 *
 * @param what the object's name in the protocol, for error messages
 * @throws CometError INVALID_JSON, INVALID_FIELD
 */
export function parseObject(what: string, text: string): JsonObject {
  if (typeof text !== 'string') {
    throw asAppError(invalid(what, `must be given as a string, not ${kindOf(text)}`))
  }
  let members: unknown
  try {
    members = JSON.parse(text)
  } catch (cause) {
    throw new CometError('INVALID_JSON', `${what} is not JSON: ${(cause as Error).message}`, { cause })
  }
  if (typeof members !== 'object' || members === null || Array.isArray(members)) {
    throw invalid(what, `must be a JSON object, not ${kindOf(members)}`)
  }
  return { what, text, members: members as Record<string, unknown> }
}

/** Reads a string field. Absent and null are proto3's default, the empty string. */
export function stringField({ what, members }: Pick<JsonObject, 'what' | 'members'>, name: string): string {
  const value = Object.hasOwn(members, name) ? members[name] : undefined
  if (value === undefined || value === null) return ''
  if (typeof value !== 'string') throw invalid(`${what}.${name}`, `must be a string, not ${kindOf(value)}`)
  return value
}

/**
 * Reads an int64 field: a JSON number without fraction (as Go's encoding/json writes it) or a string of one (as
 * protojson does). Absent and null are 0. The digits come from the text, because JSON.parse rounds what a double cannot
 * hold.
 */
export function int64Field({ what, text, members }: JsonObject, name: string): bigint {
  const value = Object.hasOwn(members, name) ? members[name] : undefined
  if (value === undefined || value === null) return 0n
  const digits = typeof value === 'number' ? memberSource(text, name) : value
  const full = `${what}.${name}`
  if (typeof digits !== 'string') {
    throw invalid(full, `must be an integer, bare or as a string, not ${kindOf(value)}`)
  }
  if (!INTEGER.test(digits)) {
    throw invalid(full, 'must be an integer in decimal, without fraction, exponent, spaces or leading zeros')
  }
  if (digits.length > LONGEST_INT64) throw invalid(full, 'is out of the range of int64')
  return checkInt64(full, BigInt(digits))
}

/** Checks that a value is a bigint within int64. @throws CometError INVALID_FIELD */
export function checkInt64(name: string, value: unknown): bigint {
  if (typeof value !== 'bigint') throw invalid(name, `must be a bigint, not ${kindOf(value)}`)
  if (value < INT64_MIN || value > INT64_MAX) throw invalid(name, `is out of the range of int64: ${value}`)
  return value
}

/** Encodes a field's value. @returns undefined for 0 and '', which are left out */
type FieldEncoder = (name: string, value: unknown) => string | undefined

/**
 * Writes a JSON object byte for byte as Go's encoding/json does: zero values left out, integers bare with all their
 * digits, and `<`, `>`, `&`, U+2028 and U+2029 escaped.
 *
 * @param encoders the object's fields in the protocol's order
 * @throws CometError INVALID_FIELD
 */
export function stringifyFields<Name extends string>(
  what: string,
  encoders: Record<Name, FieldEncoder>,
  object: { readonly [name in Name]?: unknown },
): string {
  return callOfApp(() => encodeFields(what, encoders, object))
}

function encodeFields<Name extends string>(
  what: string,
  encoders: Record<Name, FieldEncoder>,
  object: { readonly [name in Name]?: unknown },
): string {
  if (typeof object !== 'object' || object === null)
    throw invalid(what, `must be an object, not ${kindOf(object)}`)
  const parts: string[] = []
  for (const name of Object.keys(encoders) as Name[]) {
    const value = object[name]
    const json = value === undefined || value === null ? undefined : encoders[name](`${what}.${name}`, value)
    if (json !== undefined) parts.push(`"${name}":${json}`)
  }
  return `{${parts.join(',')}}`
}

/** Encodes a string field. Lone surrogates become U+FFFD. @throws CometError INVALID_FIELD */
export function encodeString(name: string, value: unknown): string | undefined {
  if (typeof value !== 'string') throw invalid(name, `must be a string, not ${kindOf(value)}`)
  if (value === '') return undefined
  return JSON.stringify(value.toWellFormed()).replace(/[<>&\u2028\u2029]/g, escapeCharacter)
}

/** Encodes an int64 field. @throws CometError INVALID_FIELD */
export function encodeInt64(name: string, value: unknown): string | undefined {
  const integer = checkInt64(name, value)
  return integer === 0n ? undefined : integer.toString()
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** Makes the error for a field that is wrong: `name` is its full name, `problem` completes the sentence. */
export function invalid(name: string, problem: string): CometError {
  return new CometError('INVALID_FIELD', `${name} ${problem}`)
}

/**
 * Finds the source text of a top-level member: the last one of that name, which is the one that JSON.parse keeps.
 *
 * @param text a JSON object that JSON.parse has accepted
 */
function memberSource(text: string, name: string): string | undefined {
  let found: string | undefined
  let at = skipSpace(text, text.indexOf('{') + 1)
  while (text[at] === '"') {
    const keyEnd = skipString(text, at)
    const key: unknown = JSON.parse(text.slice(at, keyEnd))
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1)
    const end = skipValue(text, start)
    if (key === name) found = text.slice(start, end).trimEnd()
    at = skipSpace(text, end + 1)
  }
  return found
}

function skipSpace(text: string, at: number): number {
  while (' \t\r\n'.includes(text[at] ?? '-')) at += 1
  return at
}

/** Moves from an opening quote to just after the closing one. */
function skipString(text: string, at: number): number {
  for (at += 1; text[at] !== '"'; at += 1) {
    if (text[at] === '\\') at += 1
  }
  return at + 1
}

/** Moves from the start of a value to the comma or brace that ends it. */
function skipValue(text: string, at: number): number {
  for (let depth = 0; ; at += 1) {
    const character = text[at]
    if (character === '"') at = skipString(text, at) - 1
    else if (character === '{' || character === '[') depth += 1
    else if (depth === 0 && (character === ',' || character === '}')) return at
    else if (character === '}' || character === ']') depth -= 1
  }
}
