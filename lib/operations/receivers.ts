import { CometError } from '../errors.ts'
import type { ResolvedOptions } from '../options.ts'
import type { Except, Receivers } from '../ports/broker.ts'
import type { Target } from '../protocol/target.ts'
import { messageOf } from '../util/is-error.ts'
import { checkKeys, type Unchecked } from '../util/known-keys.ts'
import { checkIds, checkSoleKey } from '../util/validate.ts'

type Limits = Pick<ResolvedOptions, 'maxIdBytes' | 'maxTargets'>

/** The keys of a target. */
export const TARGET_KEYS = ['uid', 'rid', 'sid'] as const

type Key = (typeof TARGET_KEYS)[number]

/**
 * Checks a target without an event, which must be a single one: `{ user: 'alice' }` must not mean the world.
 *
 * @throws CometError INVALID_TARGET
 */
export function checkSingleTarget(target: unknown, limits: Limits): Target {
  const checked = checkKeys('The target', target, TARGET_KEYS, 'INVALID_TARGET')
  const given: { [Name in Key]?: unknown } = {}
  for (const key of TARGET_KEYS) {
    if (!(key in checked)) continue
    // Read once: a getter may answer something else the next time.
    given[key] = checked[key]
    if (Array.isArray(given[key])) throw invalidTarget(`${key} must be one id here, not an array`)
  }
  const { uids, rids, sids } = receiversOf(given, limits) ?? {}
  if (uids !== undefined) return { uid: uids[0] as string }
  if (rids !== undefined) return { rid: rids[0] as string }
  return sids === undefined ? {} : { sid: sids[0] as string }
}

/**
 * Checks the receivers of an event: a key that is present must not be undefined, null or empty.
 *
 * @returns undefined when the list that decides is empty: the event reaches nobody
 * @throws CometError INVALID_TARGET
 */
export function receiversOf(event: Unchecked<Key>, limits: Limits): Receivers | undefined {
  const uids = 'uid' in event ? idsOf('uid', event.uid, limits) : undefined
  const rids = 'rid' in event ? idsOf('rid', event.rid, limits) : undefined
  const sids = 'sid' in event ? idsOf('sid', event.sid, limits) : undefined
  if (sids !== undefined && (uids ?? rids) !== undefined) {
    throw invalidTarget('An event must have a sid, or a uid or rid, but not both')
  }
  if ((uids ?? rids ?? sids)?.length === 0) return undefined
  if (uids !== undefined) return { uids }
  if (rids !== undefined) return { rids }
  return sids === undefined ? {} : { sids }
}

function idsOf(key: Key, value: unknown, { maxIdBytes, maxTargets }: Limits): readonly string[] {
  try {
    return checkIds(key, value, maxIdBytes, maxTargets)
  } catch (cause) {
    throw invalidTarget(messageOf(cause), cause)
  }
}

function invalidTarget(problem: string, cause?: unknown): CometError {
  const hint = 'To publish to the world, leave uid, rid and sid out.'
  return new CometError('INVALID_TARGET', `${problem}. ${hint}`, { cause })
}

/**
 * Checks the option `except`.
 *
 * @returns undefined when it names nobody, because its list is empty
 * @throws CometError INVALID_ID
 */
export function exceptOf(except: unknown, { maxIdBytes, maxTargets }: Limits): Except | undefined {
  const key = checkSoleKey('Option except', except, ['uid', 'sid'])
  const ids = checkIds(key, (except as Unchecked<Key>)[key], maxIdBytes, maxTargets)
  if (ids.length === 0) return undefined
  return key === 'uid' ? { uids: ids } : { sids: ids }
}
