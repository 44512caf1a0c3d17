import assert from 'node:assert/strict'
import { UserActivityEvent } from '../../lib/index.ts'

const { ONLINE, OFFLINE, HEARD, ENTER_ROOM, LEAVE_ROOM } = UserActivityEvent.Type

/**
 * The rules that every log of activity must keep, whatever caused it:
 *
 * - never the same transition twice in a row for a user, or for a user and room;
 * - no ENTER_ROOM before ONLINE, no OFFLINE while in a room;
 * - the LEAVE_ROOMs of an OFFLINE come right before it and have its time;
 * - times never decrease;
 * - only ENTER_ROOM and LEAVE_ROOM have a rid.
 */
export function assertActivityRules(log: readonly UserActivityEvent[]): void {
  const rooms = new Map<string, Set<string>>()
  let last = 0n
  for (const [index, { type, uid, rid, time }] of log.entries()) {
    const where = `at ${index}: ${log
      .slice(Math.max(0, index - 5), index + 1)
      .map(show)
      .join(', ')}`
    assert.ok(time >= last, `time decreases ${where}`)
    last = time
    assert.equal(
      rid !== undefined,
      type === ENTER_ROOM || type === LEAVE_ROOM,
      `rid and type do not match ${where}`,
    )
    const inside = rooms.get(uid)
    if (type === ONLINE) {
      assert.equal(inside, undefined, `ONLINE twice ${where}`)
      rooms.set(uid, new Set())
    } else if (type === OFFLINE) {
      assert.equal(inside?.size, 0, `OFFLINE while offline or in a room ${where}`)
      rooms.delete(uid)
      assertLeavesBefore(log, index)
    } else if (type === ENTER_ROOM) {
      assert.ok(inside && !inside.has(String(rid)), `ENTER_ROOM while offline or inside ${where}`)
      inside.add(String(rid))
    } else if (type === LEAVE_ROOM) {
      assert.ok(inside?.delete(String(rid)), `LEAVE_ROOM while not inside ${where}`)
    } else {
      assert.equal(type, HEARD, `unknown type ${where}`)
    }
  }
}

/** Checks that all events of the user with the time of an OFFLINE are LEAVE_ROOMs right before it. */
function assertLeavesBefore(log: readonly UserActivityEvent[], offline: number): void {
  const { uid, time } = log[offline] as UserActivityEvent
  let first = offline
  while (log[first - 1]?.type === LEAVE_ROOM && log[first - 1]?.uid === uid && log[first - 1]?.time === time)
    first -= 1
  const strays = log.slice(0, first).filter((event) => event.uid === uid && event.time === time)
  assert.deepEqual(
    strays.filter(({ type }) => type === LEAVE_ROOM).map(show),
    [],
    'a LEAVE_ROOM apart from its OFFLINE',
  )
}

export function show({ type, uid, rid }: UserActivityEvent): string {
  const name = Object.entries(UserActivityEvent.Type).find(([, value]) => value === type)?.[0]
  return rid === undefined ? `${name} ${uid}` : `${name} ${uid} ${rid}`
}
