import assert from 'node:assert/strict'
import type { Clock } from '@sinonjs/fake-timers'
import { Comet, MemoryBroker, UserActivityEvent } from '../../lib/index.ts'
import { show } from './activity-rules.ts'
import { ANY_RATE } from './comets.ts'
import { MemoryTransport } from './memory-transport.ts'
import { PresenceModel } from './presence-model.ts'

const { HEARD } = UserActivityEvent.Type
const GRACE = 5_000
/** How long `canEnter` takes for the slow room. Not a multiple of the clock's steps, so that no two things are due at once. */
const SLOW = 101

/** One random step. Numbers select a user, room, session or node by their remainder. */
export type Step =
  | { readonly op: 'connect'; readonly user: number; readonly rooms: number[]; readonly asked: number[] }
  | { readonly op: 'connectAnonymous'; readonly asked: number[] }
  | { readonly op: 'drop' | 'bye' | 'disconnectSession'; readonly session: number }
  | {
      readonly op: 'join' | 'leave' | 'enterSession' | 'leaveSession'
      readonly session: number
      readonly room: number
    }
  | { readonly op: 'enterUser' | 'leaveUser'; readonly user: number; readonly room: number }
  | { readonly op: 'disconnectUser'; readonly user: number }
  | { readonly op: 'disconnectRoom'; readonly room: number }
  | { readonly op: 'wait'; readonly ticks: number }

interface Client {
  readonly uid: string
  readonly anonymous: boolean
  readonly node: Comet
  readonly transport: MemoryTransport
  /** Set while `canEnter` decides: when it will answer, and the rooms that the client will be in then. */
  pending?: {
    readonly due: number
    readonly asked: readonly string[]
    rooms: string[]
    readonly connected: Promise<void>
  }
}

const ROOMS = ['lobby', 'den', 'hall', 'slow']
const USERS = ['alice', 'bob', 'carol']

/** Takes each step on Comets that share a broker, and on a model. */
export class PresenceChurn {
  readonly log: UserActivityEvent[] = []
  readonly #nodes: Comet[]
  readonly #model = new PresenceModel()
  readonly #clients: Client[] = []
  readonly #clock: Clock
  #turn = 0

  constructor(clock: Clock, nodes: number) {
    this.#clock = clock
    const broker = new MemoryBroker()
    const canEnter = ({ rid }: { rid: string }) =>
      rid !== 'slow' || new Promise<boolean>((resolve) => setTimeout(resolve, SLOW, true))
    this.#nodes = Array.from(
      { length: nodes },
      () =>
        new Comet({
          broker,
          canEnter,
          offlineGrace: GRACE,
          heartbeatInterval: 0,
          packetRate: 10_000,
          ...ANY_RATE,
        }),
    )
    for (const node of this.#nodes) {
      node.on('activity', (event) => this.log.push(event))
      node.on('error', (error) => assert.fail(error))
    }
  }

  /** Takes a step, and checks that Comet and model agree on everything that it changed. */
  async step(step: Step): Promise<void> {
    this.#turn += 1
    if (step.op === 'wait') return await this.#wait(step.ticks * 50)
    await this.#checked(() => this.#do(step))
  }

  async close(): Promise<void> {
    for (const { transport } of this.#clients) transport.drop()
    await this.#clock.tickAsync(SLOW + GRACE)
    for (const node of this.#nodes) {
      assert.deepEqual([node.stats().sessions, node.stats().users, node.stats().rooms], [0, 0, 0])
      await node.close()
    }
  }

  /** Runs a step and compares the reported activity with the change of the model's state. */
  async #checked(run: () => Promise<string[]>): Promise<void> {
    const before = this.#model.state()
    const from = this.log.length
    const active = await run()
    const reported = this.log.slice(from)
    assert.deepEqual(reported.filter(({ type }) => type === HEARD).map(show), active)
    // A packet is HEARD before its effect.
    if (active.length > 0) assert.equal(reported[0]?.type, HEARD)
    const transitions = reported.filter(({ type }) => type !== HEARD).map(show)
    assert.deepEqual(transitions.sort(), difference(before, this.#model.state()).sort())
    await this.#compare()
  }

  async #do(step: Exclude<Step, { op: 'wait' }>): Promise<string[]> {
    const model = this.#model
    const node = pick(this.#nodes, this.#turn)
    if ('session' in step) return await this.#toSession(step)
    if (step.op === 'connect')
      return await this.#connect(pick(USERS, step.user), step.rooms.map(room), step.asked.map(room))
    if (step.op === 'connectAnonymous') return await this.#connect(undefined, [], step.asked.map(room))
    if (step.op === 'disconnectUser') {
      const uid = pick(USERS, step.user)
      await this.#disconnect({ uid }, (client) => client.uid === uid)
      model.removeGraced((graced) => graced === uid)
    } else if (step.op === 'disconnectRoom') {
      const rid = room(step.room)
      const live = new Set(
        this.#nodes.flatMap((each) => each.dump().rooms.find((found) => found.rid === rid)?.sids ?? []),
      )
      await this.#disconnect({ rid }, (client) => live.has(client.transport.sid))
      model.removeGraced((_uid, _sid, rooms) => rooms.has(rid))
    } else {
      const uid = pick(USERS, step.user)
      const rid = room(step.room)
      if (step.op === 'enterUser') assert.equal(await node.enter({ uid }, rid), model.enterUser(uid, rid))
      else {
        assert.equal(await node.leave({ uid }, rid), model.leaveUser(uid, rid))
        // It is void, too, for those that are not let in yet.
        for (const { uid: its, pending } of this.#clients) {
          if (its === uid && pending) pending.rooms = pending.rooms.filter((each) => each !== rid)
        }
      }
    }
    return []
  }

  async #connect(uid: string | undefined, rooms: string[], asked: string[]): Promise<string[]> {
    const node = pick(this.#nodes, this.#turn)
    const transport = new MemoryTransport()
    const client: Client = { uid: uid ?? '', anonymous: uid === undefined, node, transport }
    this.#clients.push(client)
    const identity = uid === undefined ? ({ anonymous: true } as const) : { uid, rooms }
    const connected = node.connect({ identity, transport, rids: asked })
    const all = [...new Set([...rooms, ...asked])]
    // What identify names need not be asked for.
    if (asked.includes('slow') && !rooms.includes('slow')) {
      // It may be refused when its time has come. That is checked then.
      connected.catch(() => {})
      client.pending = { due: this.#clock.now + SLOW, asked, rooms: all, connected }
      return []
    }
    await connected
    this.#begun(client, all)
    return []
  }

  /** Adds a session to the model, once its stream has begun. */
  #begun(client: Client, rooms: string[]): void {
    assert.ok(client.transport.opened)
    if (!client.anonymous) this.#model.connect(client.uid, client.transport.sid, rooms)
    delete client.pending
  }

  async #toSession(step: Extract<Step, { session: number }>): Promise<string[]> {
    const live = this.#clients.filter(({ transport, pending }) => !transport.closed && !pending)
    const anyone = this.#clients.filter(({ transport }) => !transport.closed)
    if (step.op === 'drop') {
      const client = pick(anyone, step.session)
      client?.transport.drop()
      if (client && !client.pending)
        this.#model.drop(client.uid, client.transport.sid, this.#clock.now + GRACE)
      return []
    }
    const client = pick(live, step.session)
    if (client === undefined) return []
    const { uid, anonymous, transport } = client
    const { sid } = transport
    const node = pick(this.#nodes, this.#turn)
    if (step.op === 'disconnectSession') {
      await this.#disconnect({ sid }, (each) => each === client)
      return []
    }
    if (step.op === 'enterSession' || step.op === 'leaveSession') {
      const rid = room(step.room)
      const rooms = anonymous ? undefined : this.#model.roomsOfSession(uid, sid)
      if (step.op === 'enterSession') {
        assert.equal(await node.enter({ sid }, rid), true)
        rooms?.add(rid)
      } else {
        const left = await node.leave({ sid }, rid)
        if (rooms) assert.equal(left, rooms.delete(rid))
      }
      return []
    }
    const identity = anonymous ? ({ anonymous: true } as const) : uid
    // Not the slow room, for which the clock would have to advance.
    const rid = 'room' in step ? room(step.room % (ROOMS.length - 1)) : ''
    const packets = {
      join: { type: 'JOIN', join: { rid } },
      leave: { type: 'LEAVE', leave: { rid } },
      bye: { type: 'BYE' },
    }
    await node.receive({ sid, identity, packet: packets[step.op] })
    if (step.op === 'bye') this.#model.remove(uid, sid)
    else if (!anonymous && step.op === 'join') this.#model.roomsOfSession(uid, sid).add(rid)
    else if (!anonymous) this.#model.roomsOfSession(uid, sid).delete(rid)
    return anonymous ? [] : [`HEARD ${uid}`]
  }

  async #disconnect(
    target: { uid: string } | { sid: string } | { rid: string },
    matches: (client: Client) => boolean,
  ) {
    const disconnected = this.#clients.filter((client) => !client.transport.closed && matches(client))
    const caller = pick(this.#nodes, this.#turn)
    // Nodes that have none but clients that presence does not know end them, too, but are not asked how many.
    const asked = new Set([caller])
    for (const { anonymous, pending, transport, node, uid } of this.#clients) {
      if (!anonymous && !pending && !transport.closed && this.#isOf(target, uid, transport.sid))
        asked.add(node)
    }
    const counted = disconnected.filter(({ node }) => 'sid' in target || asked.has(node))
    assert.equal(await caller.disconnect(target), counted.length)
    for (const { uid, transport, pending } of disconnected) {
      assert.ok(transport.closed)
      assert.deepEqual(transport.control('close')?.code, 'DISCONNECTED')
      if (!pending) this.#model.remove(uid, transport.sid)
    }
  }

  /** Tells whether presence names the node of a session for a target: for a room, each node of a user that is in it. */
  #isOf(target: { uid: string } | { sid: string } | { rid: string }, uid: string, sid: string): boolean {
    if ('sid' in target) return sid === target.sid
    return 'uid' in target ? uid === target.uid : this.#model.state().get(uid)?.has(target.rid) === true
  }

  /** Lets time pass, deadline by deadline, so that each is compared by itself. */
  async #wait(ms: number): Promise<void> {
    const until = this.#clock.now + ms
    for (;;) {
      const graced = this.#model.nextDeadline(until)
      const waiting = this.#clients
        .filter(({ transport, pending }) => pending && pending.due <= until && !transport.closed)
        .sort((a, b) => Number(a.pending?.due) - Number(b.pending?.due))[0]
      const due = waiting?.pending
      if (due && !(graced && graced.deadline < due.due)) {
        await this.#checked(async () => {
          await this.#clock.tickAsync(due.due - this.#clock.now)
          for (const client of this.#clients) {
            const { pending, transport } = client
            if (pending?.due !== due.due || transport.closed) continue
            if (pending.asked.some((rid) => pending.rooms.includes(rid))) {
              await pending.connected
              this.#begun(client, pending.rooms)
            } else {
              await assert.rejects(pending.connected, { code: 'ROOM_REFUSED' })
              transport.drop()
            }
          }
          return []
        })
      } else if (graced) {
        await this.#checked(async () => {
          await this.#clock.tickAsync(graced.deadline - this.#clock.now)
          for (
            let each = this.#model.nextDeadline(this.#clock.now);
            each;
            each = this.#model.nextDeadline(this.#clock.now)
          ) {
            this.#model.remove(each.uid, each.sid)
          }
          return []
        })
      } else break
    }
    await this.#clock.tickAsync(until - this.#clock.now)
  }

  /** Checks that the presence of any node, and the routing of each node, agree with the model. */
  async #compare(): Promise<void> {
    const state = this.#model.state()
    const node = pick(this.#nodes, this.#turn + 1)
    for (const uid of USERS) assert.equal(await node.isOnline(uid), state.has(uid))
    for (const rid of ROOMS) {
      const users = [...state].filter(([, rooms]) => rooms.has(rid)).map(([uid]) => uid)
      assert.deepEqual((await node.members(rid)).map(({ uid }) => uid).sort(), users.sort())
      assert.equal(await node.count(rid), users.length)
    }
    for (const { node: owner, uid, anonymous, transport, pending } of this.#clients) {
      if (transport.closed || pending || anonymous) continue
      const { sid } = transport
      const routed = owner
        .dump()
        .rooms.filter(({ sids }) => sids.includes(sid))
        .map(({ rid }) => rid)
      const expected = new Set([...this.#model.roomsOfSession(uid, sid), ...this.#model.memberships(uid)])
      assert.deepEqual(routed.sort(), [...expected].sort())
    }
  }
}

/** The transitions that lead from one state to another. */
function difference(before: Map<string, Set<string>>, after: Map<string, Set<string>>): string[] {
  const transitions: string[] = []
  for (const uid of new Set([...before.keys(), ...after.keys()])) {
    const [was, is] = [before.get(uid), after.get(uid)]
    if (!was) transitions.push(`ONLINE ${uid}`)
    if (!is) transitions.push(`OFFLINE ${uid}`)
    for (const rid of is ?? []) if (!was?.has(rid)) transitions.push(`ENTER_ROOM ${uid} ${rid}`)
    for (const rid of was ?? []) if (!is?.has(rid)) transitions.push(`LEAVE_ROOM ${uid} ${rid}`)
  }
  return transitions
}

function room(number: number): string {
  return pick(ROOMS, number)
}

function pick<T>(from: readonly T[], number: number): T {
  return from[number % from.length] as T
}
