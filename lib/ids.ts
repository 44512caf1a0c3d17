import { randomBytes } from 'node:crypto'
import { CometError } from './errors.ts'

/** A user's identity as hosts have it: text, or a database's number, which is taken in decimal. */
export type Uid = string | number | bigint

/** CR, LF and NUL cannot stand in a line of an event stream, whatever else takes an id in. */
const FORBIDDEN = /[\r\n\0]/

/**
 * Checks an identifier: non-empty, well-formed text of at most `maxBytes` in UTF-8 without CR, LF and NUL.
 *
 * @param name what the caller calls it, for the error message
 * @throws CometError INVALID_ID
 */
export function checkId(name: string, value: unknown, maxBytes: number): string {
  if (typeof value !== 'string') throw invalidId(name, `must be a string, not ${kindOf(value)}`)
  if (value === '') throw invalidId(name, 'must not be empty')
  if (FORBIDDEN.test(value)) throw invalidId(name, 'must not contain CR, LF or NUL')
  if (!value.isWellFormed()) throw invalidId(name, 'must not contain a lone surrogate')
  // UTF-8 takes at most three bytes for a UTF-16 unit: most ids need no counting.
  if (value.length * 3 > maxBytes && Buffer.byteLength(value) > maxBytes) {
    throw invalidId(name, `must have at most ${maxBytes} bytes (option maxIdBytes)`)
  }
  return value
}

/** As {@link checkId}, for a uid, which may also be an integer. */
export function checkUid(name: string, value: unknown, maxBytes: number): string {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw invalidId(name, `must be a safe integer, not ${value}`)
  }
  const text = typeof value === 'number' || typeof value === 'bigint' ? value.toString() : value
  return checkId(name, text, maxBytes)
}

/** As {@link checkId}, for a sid, whose length is ours. */
export function checkSid(value: unknown): string {
  return checkId('sid', value, 256)
}

/** A node's id. Random and never a host's name: clients see it in their sid. */
export function newNodeId(): string {
  return randomBytes(8).toString('base64url')
}

/** How many characters of base64url a secret has: 132 bits. */
const SECRET_LENGTH = 22

/** For how many secrets random bytes are asked for at a time, three for four characters: to ask takes longest. */
const POOL_BYTES = (256 * SECRET_LENGTH * 3) / 4
let pool = ''
let used = 0

/** Something that nobody can guess. */
export function newSecret(): string {
  if (used === pool.length) {
    pool = randomBytes(POOL_BYTES).toString('base64url')
    used = 0
  }
  used += SECRET_LENGTH
  return pool.slice(used - SECRET_LENGTH, used)
}

/** A session's id. It names the node that owns the session, so that packets may come in on any. */
export function newSid(node: string): string {
  return `${node}.${newSecret()}`
}

const SID = /^([\w-]{11})\.[\w-]{22}$/

/** The node that owns a session, or undefined when the text cannot be a sid. */
export function ownerOf(sid: string): string | undefined {
  return SID.exec(sid)?.[1]
}

/** What a value is, in words fit for an error message. Never the value itself: it may be a secret. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'undefined') return 'undefined'
  return `${typeof value === 'object' ? 'an' : 'a'} ${typeof value}`
}

export function invalidId(name: string, problem: string): CometError {
  return new CometError('INVALID_ID', `${name} ${problem}`)
}
