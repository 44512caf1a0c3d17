import type { Member, RoomChange } from '../../lib/ports/presence.ts'
import { UserActivityEvent } from '../../lib/protocol/user-activity-event.ts'
import type { RedisConnection } from './connection.ts'
import type { RawEntry } from './entry.ts'
import { decodeInfo } from './presence-operations.ts'

const { ONLINE, OFFLINE, HEARD, ENTER_ROOM, LEAVE_ROOM } = UserActivityEvent.Type

const TRANSITIONS: Readonly<Record<string, UserActivityEvent.Type>> = {
  O: ONLINE,
  F: OFFLINE,
  H: HEARD,
  E: ENTER_ROOM,
  L: LEAVE_ROOM,
}

const CHANGES: Readonly<Record<string, RoomChange['type']>> = { E: 'enter', L: 'leave', I: 'info' }

const NS_PER_US = 1_000n

/** What one step changed. */
export interface RecordedStep {
  /** The time of the step, in microseconds. */
  readonly stamp: number
  /** The time of the step before it, in microseconds. */
  readonly before: number
  /** Whether the events are for hooks of the node that took the step, too. */
  readonly isOwn: boolean
  /** The activity, for hooks. None when hooks heard of it before the store lost it. */
  readonly events: readonly UserActivityEvent[]
  /** The changes of the rooms that were asked for. */
  readonly changes: readonly RoomChange[]
}

/**
 * Parses a step: texts separated by NUL, which no id and no JSON has.
 *
 * - the time in microseconds, the epoch, and how much later that is than the step before;
 * - a flag, the user, and its info. The flag is `s` or `m` for a step that is not for hooks, and `h` for one that is for
 *   those of other nodes only;
 * - of each event: its kind, the room, the room's revision, and the one before. Kinds are `O` (ONLINE), `F` (OFFLINE),
 *   `E` (ENTER_ROOM), `L` (LEAVE_ROOM), `H` (HEARD), `I` (new info), and others that are ignored.
 */
export function parseStep(text: string, isWatched: (rid: string) => boolean): RecordedStep {
  const [stamp, epoch, later, flag, uid = '', info = '', ...parts] = text.split('\0')
  const time = BigInt(stamp ?? 0) * NS_PER_US
  const isForHooks = flag === '' || flag === 'h'
  const events: UserActivityEvent[] = []
  const changes: RoomChange[] = []
  for (let at = 0; at + 3 < parts.length; at += 4) {
    const [kind = '', rid = '', rev, from] = parts.slice(at, at + 4)
    const type = TRANSITIONS[kind]
    if (type !== undefined && isForHooks) events.push(new UserActivityEvent({ type, uid, rid, time }))
    const change = CHANGES[kind]
    if (change === undefined || !isWatched(rid)) continue
    const member = change === 'leave' ? { uid } : memberOf(uid, info)
    changes.push({ rid, rev: `${epoch}.${rev}`, from: `${epoch}.${from}`, type: change, member })
  }
  return { stamp: Number(stamp), isOwn: flag === '', before: Number(stamp) - Number(later), events, changes }
}

/**
 * Reads an entry of the record: the steps of one call.
 *
 * @param id the time of the last step, in microseconds
 * @param fields `p` and the epoch, and for each step `e` and its text without time and epoch
 */
export function stepsOf(id: string, fields: readonly string[]): string[] {
  const steps: string[] = []
  const [, epoch] = fields
  let stamp = Number.parseInt(id, 10)
  for (let at = fields.length - 1; at > 2; at -= 2) {
    const text = fields[at] ?? ''
    steps.push(`${stamp}\0${epoch}\0${text}`)
    stamp -= Number.parseInt(text, 10)
  }
  return steps.reverse()
}

/**
 * Reads entries of the record.
 *
 * @param after the id of the entry before them
 * @param to the id of the last one that is wanted; `'+'`: all
 */
export async function readRecord(
  connection: RedisConnection,
  key: string,
  after: string,
  to: string,
  count: number,
): Promise<readonly RawEntry[]> {
  const reply = await connection.send(key, ['XRANGE', key, `(${after}`, to, 'COUNT', String(count)])
  return Array.isArray(reply) ? (reply as unknown as RawEntry[]) : []
}

/** Makes a member of a uid and its info as JSON. */
export function memberOf(uid: string, info: string): Member {
  return info === '' ? { uid } : { uid, info: decodeInfo(info) }
}
