import type { CometErrorCode } from '../error-table.ts'
import { CometError } from '../errors.ts'
import { kindOf } from './kind-of.ts'

/** An object with known keys, whose values are not checked yet. */
export type Unchecked<Key extends string> = { readonly [Name in Key]?: unknown }

/**
 * Checks that a value is a plain object without any but the known keys: a misspelt one must not be ignored.
 *
 * @param name what the caller calls the object, for the error message
 * @throws CometError with the code
 */
export function checkKeys<Key extends string>(
  name: string,
  value: unknown,
  known: readonly Key[],
  code: CometErrorCode,
): Unchecked<Key> {
  const refusal = (key: string) => `${name} may have ${known.join(', ')}, but not ${key}.`
  return checkObject(name, value, known, code, refusal)
}

/**
 * Checks the options of a call or a constructor: a plain object with known options only.
 *
 * @param name what the caller calls the options, for the error message
 * @throws CometError INVALID_OPTION
 */
export function checkOptions<Key extends string>(
  name: string,
  value: unknown,
  known: readonly Key[],
): Unchecked<Key> {
  return checkObject(name, value, known, 'INVALID_OPTION', (key) => `There is no option ${key}.`)
}

function checkObject<Key extends string>(
  name: string,
  value: unknown,
  known: readonly Key[],
  code: CometErrorCode,
  refusal: (key: string) => string,
): Unchecked<Key> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new CometError(code, `${name} must be an object, not ${kindOf(value)}.`)
  }
  const keys = Object.keys(value)
  const unknown = keys.find((key) => !(known as readonly string[]).includes(key))
  if (unknown !== undefined) {
    throw new CometError(code, refusal(JSON.stringify(unknown)) + didYouMean(unknown, known))
  }
  // A Date, a Map or a Promise has no keys of its own: what it holds would be lost.
  if (keys.length === 0 && !isPlain(value)) {
    throw new CometError(code, `${name} must be a plain object, not a ${value.constructor?.name}.`)
  }
  return value
}

/** Suggests the known word that is nearest to an unknown one, or that has it as a part. Empty when none is near. */
export function didYouMean(word: string, known: readonly string[]): string {
  const most = Math.ceil(word.length / 3)
  let nearest: string | undefined
  let least = most + 1
  for (const each of known) {
    const distance =
      Math.abs(each.length - word.length) > most
        ? least
        : editDistance(word.toLowerCase(), each.toLowerCase())
    if (distance < least) [nearest, least] = [each, distance]
  }
  const part = word.toLowerCase()
  // Such as heartbeat for heartbeatInterval.
  if (word.length >= SHORTEST_PART) nearest ??= known.find((each) => each.toLowerCase().includes(part))
  return nearest === undefined ? '' : ` Did you mean ${nearest}?`
}

/** The letters of a part of a word that says which word is meant. */
const SHORTEST_PART = 4

/** Counts the letters to insert, delete or change that make one word of another (Levenshtein). */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let at = 1; at <= from.length; at += 1) {
    const next = [at]
    for (let column = 1; column <= to.length; column += 1) {
      const change = (row[column - 1] ?? 0) + (from[at - 1] === to[column - 1] ? 0 : 1)
      next.push(Math.min(change, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[to.length] ?? 0
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}
