import { checkId, checkSid, checkUid, invalidId, kindOf } from '../ids.ts'
import type { Target } from './event.ts'

type Key = 'uid' | 'sid' | 'rid'

/** An object with just one of some keys. */
type Sole<K extends Key> = { [Name in K]: Readonly<Record<Name, string>> }[K]

/**
 * Checks whom something is about: an object with just one of some keys, such as `{ uid }` or `{ sid }`. Which of two
 * is meant must not be guessed.
 *
 * @param name what the caller calls it, for the error message
 * @throws CometError INVALID_ID
 */
export function checkTarget<K extends Key>(
  name: string,
  value: unknown,
  keys: readonly K[],
  maxIdBytes: number,
): Sole<K> {
  const target = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  const given = Object.keys(target)
  const [key] = keys.filter((known) => given.includes(known))
  if (key === undefined || given.length > 1) {
    const found = given.length > 0 ? `an object with ${given.join(', ')}` : kindOf(value)
    throw invalidId(name, `must be ${keys.map((known) => `{ ${known} }`).join(' or ')}, not ${found}`)
  }
  return { [key]: checkKey(key, target[key], maxIdBytes) } as Sole<K>
}

function checkKey(key: Key, value: unknown, maxIdBytes: number): string {
  if (key === 'uid') return checkUid(key, value, maxIdBytes)
  return key === 'sid' ? checkSid(value) : checkId(key, value, maxIdBytes)
}

/** A target as one text. As everywhere, uid decides. */
export function targetKey({ uid, rid }: { readonly uid?: string; readonly rid?: string }): string {
  if (uid !== undefined) return `u${uid}`
  return rid === undefined ? 'w' : `r${rid}`
}

/** The part of an event, or of anything that has a target, that says whom it is for. */
export function targetIn({ uid, rid }: { readonly uid?: string; readonly rid?: string }): Target {
  if (uid !== undefined) return { uid }
  return rid === undefined ? {} : { rid }
}
