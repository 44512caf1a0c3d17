import { CometError, isCometError } from '../errors.ts'
import { newSecret } from '../ids.ts'
import { flat } from '../util/flat.ts'
import { kindOf } from '../util/kind-of.ts'
import { checkRid, checkUid, type Rid, type Uid } from '../util/validate.ts'
import { copyInfo } from './info.ts'

/** What `identify` may say of a client besides its user. */
interface IdentityDetails<Info> {
  /**
   * The rooms that the session enters from the start. Integers are taken in decimal. `canEnter` is not asked about them.
   *
   * @default []
   */
  readonly rooms?: readonly Rid[]
  /**
   * When the identity expires, in milliseconds since January 1, 1970 UTC (a JWT's `exp` is in seconds). The stream is
   * closed then; the client reconnects and is identified again. Null, as a session cookie has it, means never.
   *
   * @default undefined: never
   */
  readonly expiresAt?: number | null
  /**
   * The data that other users may see of the user in `members`; JSON. It is copied.
   *
   * @default undefined
   */
  readonly info?: Info
}

/** The identity of a client, in full. */
export interface Identity<Info = unknown> extends IdentityDetails<Info> {
  /** The user. An integer is taken in decimal. */
  readonly uid: Uid
  readonly anonymous?: never
}

/** A client without a user, for public pages: its session gets a random uid, causes no activity and never counts as present. */
export interface AnonymousIdentity<Info = unknown> extends IdentityDetails<Info> {
  readonly anonymous: true
  readonly uid?: never
}

/**
 * The answer of `identify`: a uid or an Identity; an AnonymousIdentity; or nothing (undefined, null, false, ''), which is
 * answered with 401.
 */
export type Identified<Info = unknown> =
  | Uid
  | Identity<Info>
  | AnonymousIdentity<Info>
  | null
  | undefined
  | false

/** A checked identity. */
export interface Identification {
  readonly uid: string
  readonly anonymous: boolean
  readonly expiresAt: number | undefined
  readonly rooms: readonly string[]
  readonly info: unknown
}

/**
 * Checks the answer of `identify`.
 *
 * @throws CometError UNAUTHENTICATED for nothing, INVALID_IDENTITY for what cannot be an identity
 */
export function checkIdentity(identified: Identified, maxIdBytes: number): Identification {
  if (isNobody(identified)) throw new CometError('UNAUTHENTICATED')
  if (typeof identified !== 'object') return checkIdentity({ uid: identified }, maxIdBytes)
  const { uid, rooms = [], info, expiresAt } = identified
  const anonymous = 'anonymous' in identified && identified.anonymous === true
  // `{ uid: user?.id }` without a user means nobody. Without the key it is a mistake, which a 401 would hide.
  if (!anonymous && 'uid' in identified && isNobody(uid)) throw new CometError('UNAUTHENTICATED')
  try {
    if (anonymous && !isNobody(uid)) throw new TypeError('an anonymous client has no uid')
    if (Array.isArray(identified) || !(anonymous || 'uid' in identified)) {
      const found = Array.isArray(identified)
        ? 'an array'
        : `an object with ${Object.keys(identified).join(', ')} (of an id that is an object, give String(id))`
      throw new TypeError(`it must be a uid, { uid, … }, { anonymous: true } or nothing, not ${found}`)
    }
    if (!Array.isArray(rooms)) throw new TypeError(`rooms must be an array of room ids, not ${kindOf(rooms)}`)
    return {
      uid: anonymous ? `anonymous.${newSecret()}` : flat(checkUid('uid', uid, maxIdBytes)),
      anonymous,
      expiresAt: expiresAt === undefined || expiresAt === null ? undefined : checkExpiry(expiresAt),
      rooms: rooms.length === 0 ? [] : checkRooms(rooms, maxIdBytes),
      info: info === undefined ? undefined : copyInfo(info),
    }
  } catch (cause) {
    if (isCometError(cause) && cause.code === 'UNAUTHENTICATED') throw cause
    throw new CometError(
      'INVALID_IDENTITY',
      `What identify answered is wrong: ${(cause as Error).message}.`,
      { cause },
    )
  }
}

function checkRooms(rooms: readonly unknown[], maxIdBytes: number): readonly string[] {
  return Array.from(new Set(rooms.map((rid) => flat(checkRid('rooms', rid, maxIdBytes)))))
}

/** Tells whether `identify` found nobody. The number 0 is a user: databases may count from it. */
export function isNobody<T>(value: T): value is T & (undefined | null | false | '') {
  return value === undefined || value === null || value === false || value === ''
}

/**
 * Smaller times are seconds by mistake: milliseconds have had twelve digits since 1973, seconds have ten until 2286.
 */
const FIRST_MILLISECONDS = 1e11

function checkExpiry(expiresAt: unknown): number {
  if (typeof expiresAt !== 'number' || Number.isNaN(expiresAt)) {
    throw new TypeError(`expiresAt must be a number of milliseconds, not ${kindOf(expiresAt)}`)
  }
  if (expiresAt < FIRST_MILLISECONDS) throw new TypeError('expiresAt must be in milliseconds, not seconds')
  if (expiresAt <= Date.now()) throw new CometError('UNAUTHENTICATED', 'The identity has expired.')
  return expiresAt
}
