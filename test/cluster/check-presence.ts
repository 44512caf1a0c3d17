import { UserActivityEvent } from '../../lib/index.ts'
import type { Observations, ObservedNode, Transition } from './observations.ts'

const { ONLINE, OFFLINE, ENTER_ROOM } = UserActivityEvent.Type

/** How long a transition may wait for the node whose call made it, in milliseconds: a node that is killed never says it. */
const CALL_MS = 4_000

type Fail = (problem: string) => void

/** Checks the record: times increase, transitions alternate, and its end is what the open sessions are. */
export function checkRecord({ record, online }: Pick<Observations, 'record' | 'online'>, fail: Fail): void {
  let last = 0n
  const inside = new Map<string, Set<string>>()
  for (const { transitions } of record) {
    const [first] = transitions
    if (first === undefined) continue
    const time = BigInt(first.time)
    if (time <= last) fail(`the record goes back in time at ${show(first)}`)
    last = time
    for (const transition of transitions) follow(inside, transition, fail)
  }
  const expected = new Map(online.map(({ uid, rooms }) => [uid, rooms.toSorted().join()]))
  for (const uid of new Set([...inside.keys(), ...expected.keys()])) {
    const rooms = inside.get(uid)
    const found = rooms && Array.from(rooms).sort().join()
    const wanted = expected.get(uid)
    if (found !== wanted) fail(`the record ends with ${uid} in ${found}, and the sessions are in ${wanted}`)
  }
}

function follow(inside: Map<string, Set<string>>, transition: Transition, fail: Fail): void {
  const { type, uid, rid } = transition
  const rooms = inside.get(uid)
  if (type === ONLINE) {
    if (rooms !== undefined) fail(`${show(transition)} twice`)
    inside.set(uid, new Set())
  } else if (rooms === undefined) fail(`${show(transition)} outside ONLINE`)
  else if (type === OFFLINE) {
    if (rooms.size > 0) fail(`${show(transition)} in rooms ${Array.from(rooms)}`)
    inside.delete(uid)
  } else if (type === ENTER_ROOM) {
    if (rooms.has(rid)) fail(`${show(transition)} twice`)
    rooms.add(rid)
  } else if (!rooms.delete(rid)) fail(`${show(transition)} without being there`)
}

/**
 * Checks what hooks were told: each transition of the record once, by one node. A node with cluster-wide activity is told
 * all of them in their order. Where the store lost data, the record does not have all that hooks were told.
 */
export function checkHooks({ nodes, record, lostAt }: Observations, fail: Fail): void {
  const said = record.filter(({ isSaid }) => isSaid).flatMap(({ transitions }) => transitions)
  const times = new Map(said.map((transition) => [keyOf(transition), 0]))
  for (const node of nodes) {
    if (node.activity === 'cluster') {
      checkFollower(node, said, lostAt, fail)
      continue
    }
    for (const transition of activityOf(node)) {
      const key = keyOf(transition)
      const count = times.get(key)
      if (count === undefined && lostAt.length === 0)
        fail(`${node.name} said ${show(transition)}, which is not in the record`)
      if (count) fail(`${node.name} said ${show(transition)} once more`)
      times.set(key, (count ?? 0) + 1)
    }
  }
  if (nodes.some(({ activity }) => activity === 'cluster')) return
  for (const transition of said) {
    const at = Number(BigInt(transition.time) / 1_000n) / 1_000
    const isExcused = nodes.some(({ killedAt = 0 }) => at < killedAt + CALL_MS && killedAt < at + CALL_MS)
    if (times.get(keyOf(transition)) === 0 && !isExcused) fail(`no node said ${show(transition)}`)
  }
}

function checkFollower(node: ObservedNode, said: Transition[], lostAt: readonly number[], fail: Fail): void {
  const told = activityOf(node)
  const [first] = told
  if (first === undefined || lostAt.length > 0) return
  const start = said.findIndex((transition) => keyOf(transition) === keyOf(first))
  const end = node.killedAt === undefined ? said.length : start + told.length
  const expected = said.slice(start, end)
  const at = expected.findIndex(
    (transition, index) => told[index] === undefined || keyOf(transition) !== keyOf(told[index]),
  )
  if (start < 0) fail(`${node.name} was told ${show(first)}, which is not in the record`)
  else if (at >= 0) fail(`${node.name} was not told ${show(expected[at] as Transition)} in its place`)
  else if (told.length > expected.length) fail(`${node.name} was told more than there is in the record`)
}

function activityOf({ log }: ObservedNode): Transition[] {
  return log.filter((report) => report.is === 'activity')
}

function keyOf({ time, type, uid, rid }: Transition): string {
  return `${time} ${type} ${uid} ${rid}`
}

function show({ type, uid, rid, time }: Transition): string {
  const name = Object.entries(UserActivityEvent.Type).find(([, value]) => value === type)?.[0]
  return `${name} ${uid}${rid && ` ${rid}`} at ${time}`
}
