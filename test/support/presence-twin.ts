import assert from 'node:assert/strict'
import {
  type GrantedBy,
  MemoryBroker,
  type PresenceConnection,
  type SessionConnection,
  type UserActivityEvent,
} from '../../lib/index.ts'
import { presenceNode } from '../contracts/handlers.ts'
import { assertActivityRules, show } from './activity-rules.ts'
import { until } from './inbox.ts'
import type { PresenceTestNode } from './presence-nodes.ts'

/** One random step. Numbers select a node, user, session or room by their remainder. */
export type TwinStep =
  | {
      readonly op: 'connect'
      readonly node: number
      readonly user: number
      readonly client: number
      readonly number: number
      readonly info: number
      readonly rooms: readonly (readonly [room: number, by: number])[]
    }
  | { readonly op: 'drop' | 'end' | 'serves' | 'locate'; readonly node: number; readonly session: number }
  | {
      readonly op: 'enter' | 'leave' | 'enterUser' | 'leaveUser' | 'membership'
      readonly node: number
      readonly session: number
      readonly room: number
      readonly by: number
    }
  | { readonly op: 'setInfo'; readonly node: number; readonly user: number; readonly info: number }
  | {
      readonly op: 'endGrace'
      readonly node: number
      readonly what: number
      readonly session: number
      readonly room: number
    }
  | { readonly op: 'wait'; readonly ticks: number }
  | { readonly op: 'lapse'; readonly node: number }

const USERS = ['alice', 'bob', 'carol']
const ROOMS = ['den', 'hall', 'attic']
const CLIENTS = [undefined, 'page', 'other']
const NUMBERS = [undefined, 1, 2, 3]
const GRANTS: readonly GrantedBy[] = ['identity', 'url', 'join', 'app']

/** The grace of sessions, and a step of time, in milliseconds. The lease is longer than the grace is. */
export const TWIN_GRACE = 5_000
const TICK = 500

/** A session in grace, as the model of it goes. */
interface Graced {
  readonly session: SessionConnection
  readonly deadline: number
}

/** Takes each step on presence in memory and in Redis, and compares all that they answer and tell. */
export class PresenceTwin {
  readonly #nodes: readonly PresenceTestNode[]
  readonly #memory: PresenceConnection[] = []
  readonly #memoryEvents: UserActivityEvent[][] = []
  readonly #clock: { now: number }
  readonly #lease: number
  readonly #log: UserActivityEvent[] = []
  /** Every connection that there was, its session may be gone. */
  readonly #sessions: SessionConnection[] = []
  readonly #graced = new Map<string, Graced>()
  /** The latest connection of each session, by sid: the end of an earlier one has no effect. */
  readonly #latest = new Map<string, string>()
  readonly #followed = new Map<string, Map<string, unknown>>()
  #connections = 0
  /** What the last connect has made. Undefined: it was refused. */
  #last: SessionConnection | undefined
  #lastNumber: number | undefined

  /** @param clock of the nodes, in milliseconds */
  constructor(nodes: readonly PresenceTestNode[], clock: { now: number }, lease: number) {
    this.#nodes = nodes
    this.#clock = clock
    this.#lease = lease
    const { presence } = new MemoryBroker()
    for (const { id } of nodes) {
      const { node, events } = presenceNode(id)
      this.#memory.push(presence.join(node))
      this.#memoryEvents.push(events)
    }
  }

  /** Begins to keep lists of the members of rooms by their changes, on the last node. */
  async follow(): Promise<void> {
    const [node] = this.#nodes
    for (const rid of ROOMS) {
      await node?.presence.watch(rid)
      this.#followed.set(rid, new Map())
    }
  }

  async step(step: TwinStep): Promise<void> {
    if (step.op === 'wait') await this.#wait(step.ticks * TICK)
    else if (step.op === 'lapse') await this.#lapse(step.node % this.#nodes.length)
    else {
      const index = step.node % this.#nodes.length
      await this.#both(index, (presence) => this.#do(presence, step))
      this.#note(step)
    }
    await this.#compare()
  }

  async close(): Promise<void> {
    await this.#wait(TWIN_GRACE + TICK)
    assertActivityRules(this.#log)
    for (const presence of this.#memory) await presence.close()
  }

  /** Asks both, and compares the answers and the transitions that the node was told of. */
  async #both(
    index: number,
    run: (presence: PresenceConnection) => Promise<unknown>,
    isOrdered = true,
  ): Promise<void> {
    const node = this.#nodes[index]
    const memory = this.#memory[index]
    if (node === undefined || memory === undefined) assert.fail()
    const expected = await run(memory)
    const answer = await run(node.presence)
    assert.deepEqual(sorted(answer), sorted(expected))
    const [told, should] = [node.reportedEvents(), this.#memoryEvents[index]?.splice(0) ?? []]
    this.#log.push(...told)
    const [a, b] = [told.map(show), should.map(show)]
    assert.deepEqual(isOrdered ? a : a.sort(), isOrdered ? b : b.sort())
  }

  async #do(
    presence: PresenceConnection,
    step: Exclude<TwinStep, { op: 'wait' | 'lapse' }>,
  ): Promise<unknown> {
    if (step.op === 'connect') {
      const uid = pick(USERS, step.user)
      const connection = `c${this.#connections}`
      const clientId = pick(CLIENTS, step.client)
      const requestNumber = pick(NUMBERS, step.number)
      const info = step.info % 3 === 0 ? undefined : { n: step.info % 3 }
      const rooms = step.rooms.map(([room, by]) => ({ rid: pick(ROOMS, room), by: pick(GRANTS, by) }))
      const admission = await presence.connect(
        { uid, connection, clientId, info, requestNumber, start: `${this.#connections}` },
        rooms,
      )
      this.#last = admission && { uid, sid: admission.sid, connection }
      this.#lastNumber = requestNumber
      return admission
    }
    if (step.op === 'setInfo') {
      return await presence.setInfo(
        pick(USERS, step.user),
        step.info % 3 === 0 ? undefined : { own: step.info },
      )
    }
    const session = this.#sessions[step.session % Math.max(1, this.#sessions.length)]
    if (session === undefined) return undefined
    const { uid, sid } = session
    switch (step.op) {
      case 'drop':
        return await presence.disconnect(
          session,
          presence === this.#memory[step.node % this.#nodes.length] ? 1e8 : TWIN_GRACE,
        )
      case 'end':
        return await presence.disconnect(session, 0)
      case 'locate':
        return await presence.locate(sid)
      case 'serves':
        return await presence.serves(uid, 'page')
      case 'enter':
        return await presence.enter(session, pick(ROOMS, step.room), pick(GRANTS, step.by))
      case 'leave':
        return await presence.leave(session, pick(ROOMS, step.room))
      case 'enterUser':
        return await presence.enter({ uid }, pick(ROOMS, step.room), 'app')
      case 'leaveUser':
        return await presence.leave({ uid }, pick(ROOMS, step.room))
      case 'membership':
        return [
          await presence.membership(session, pick(ROOMS, step.room)),
          await presence.membership({ uid }, pick(ROOMS, step.room)),
        ]
      case 'endGrace':
        return await presence.endGrace(
          [{ uid }, { sid }, { rid: pick(ROOMS, step.room) }][step.what % 3] as { uid: string },
        )
    }
  }

  /** Keeps account of the sessions that were there, and of their graces. */
  #note(step: Exclude<TwinStep, { op: 'wait' | 'lapse' }>): void {
    if (step.op === 'connect') {
      this.#connections += 1
      const session = this.#last
      if (session === undefined) return
      this.#sessions.push(session)
      this.#latest.set(session.sid, session.connection)
      this.#graced.delete(session.sid)
      const node = this.#nodes[step.node % this.#nodes.length]
      for (const each of this.#nodes) each.forget(session.sid)
      node?.live.set(session.connection, {
        ...session,
        requestNumber: this.#lastNumber,
        rooms: [],
        memberships: [],
      })
      return
    }
    if (step.op !== 'drop' && step.op !== 'end') return
    const session = this.#sessions[step.session % Math.max(1, this.#sessions.length)]
    if (session === undefined) return
    for (const each of this.#nodes) each.live.delete(session.connection)
    if (this.#latest.get(session.sid) !== session.connection) return
    if (step.op === 'drop') this.#graced.set(session.sid, { session, deadline: this.#clock.now + TWIN_GRACE })
    else this.#graced.delete(session.sid)
  }

  /** Lets time pass, and everybody do what is due. */
  async #wait(milliseconds: number): Promise<void> {
    const end = this.#clock.now + milliseconds
    while (this.#clock.now < end) {
      this.#clock.now = Math.min(end, this.#clock.now + TICK)
      await this.#tick(this.#nodes)
    }
  }

  /** Stops a node until its lease has ended, and a bit of the grace that follows. */
  async #lapse(index: number): Promise<void> {
    const node = this.#nodes[index]
    if (node === undefined || this.#nodes.length === 1) return
    const others = this.#nodes.filter((other) => other !== node)
    const end = this.#clock.now + this.#lease + 2 * TICK
    while (this.#clock.now < end) {
      this.#clock.now += TICK
      await this.#tick(others)
    }
    node.node.renew()
    await until(async () => !(await node.presence.isOnline('nobody')) && !node.node.isRestoring)
    assert.deepEqual(node.takenOver, [])
    for (const each of this.#nodes)
      this.#log.push(...each.reportedEvents().map((event) => assert.fail(show(event))))
  }

  async #tick(nodes: readonly PresenceTestNode[]): Promise<void> {
    for (const { node } of nodes) node.renew()
    await Promise.all(nodes.map(({ presence }) => presence.isOnline('nobody')))
    for (const { node } of nodes) await node.sweep()
    const told = this.#nodes.flatMap((node) => node.reportedEvents())
    const due = Array.from(this.#graced.values()).filter(({ deadline }) => deadline <= this.#clock.now)
    const should: UserActivityEvent[] = []
    for (const { session } of due) {
      this.#graced.delete(session.sid)
      // A takeover has saved it, or something else has ended it.
      if ((await this.#memory[0]?.locate(session.sid))?.connected === false) {
        await this.#memory[0]?.disconnect(session, 0)
      }
      should.push(...this.#memoryEvents.flatMap((events) => events.splice(0)))
    }
    this.#log.push(...told)
    assert.deepEqual(told.map(show).sort(), should.map(show).sort())
  }

  async #compare(): Promise<void> {
    const { length } = this.#nodes
    const index = this.#connections % length
    for (const uid of USERS) {
      await this.#both(index, (presence) => presence.isOnline(uid))
      await this.#both(index, (presence) => presence.roomsOf(uid))
      await this.#both(index, (presence) => presence.nodesOf({ uid }))
    }
    for (const rid of ROOMS) {
      await this.#both(index, async (presence) => (await presence.members(rid)).members)
      await this.#both(index, async (presence) => (await presence.members(rid, { limit: 2 })).members)
      await this.#both(index, (presence) => presence.count(rid))
      await this.#both(index, (presence) => presence.nodesOf({ rid }))
    }
    await this.#compareLists()
  }

  /** Checks that the changes which the last node was told lead to the lists of members. */
  async #compareLists(): Promise<void> {
    const [node] = this.#nodes
    if (node === undefined || this.#followed.size === 0) return
    for (const [rid, list] of this.#followed) {
      const { rev, members } = await node.presence.members(rid)
      const known = () => node.changes.filter((change) => change.rid === rid)
      if (members.length > 0)
        await until(() => (this.#revs.get(rid) ?? known().at(-1)?.rev) === rev || known().at(-1)?.rev === rev)
      else await until(() => known().length === 0 || known().at(-1)?.type === 'leave')
      for (const { type, member, from, rev: to } of known()) {
        const before = this.#revs.get(rid)
        if (before !== undefined) assert.ok(number(from) <= number(before) && number(before) < number(to))
        // A list of before the last change must not take this one for the next.
        assert.ok(number(from) >= (this.#changed.get(rid) ?? 0))
        this.#changed.set(rid, number(to))
        if (type === 'leave') list.delete(member.uid)
        else list.set(member.uid, member.info)
        this.#revs.set(rid, to)
      }
      const rest = node.changes.filter((change) => change.rid !== rid)
      node.changes.splice(0, node.changes.length, ...rest)
      assert.deepEqual(new Map(members.map(({ uid, info }) => [uid, info])), list)
      // A list of an empty room is of the latest revision of any room.
      if (members.length === 0) this.#revs.set(rid, rev)
    }
  }

  /** The revision of the list of each room, and of the last change that was told. */
  readonly #revs = new Map<string, string>()
  readonly #changed = new Map<string, number>()
}

function number(rev: string): number {
  return Number(rev.slice(rev.indexOf('.') + 1))
}

function pick<T>(from: readonly T[], index: number): T {
  return from[index % from.length] as T
}

/** Nodes are listed in any order. */
function sorted(answer: unknown): unknown {
  if (Array.isArray(answer) && answer.every((each) => /^n\d$/.test(String(each)))) return [...answer].sort()
  if (typeof answer === 'object' && answer !== null && 'nodes' in answer && Array.isArray(answer.nodes)) {
    return { ...answer, nodes: [...answer.nodes].sort() }
  }
  return answer
}
