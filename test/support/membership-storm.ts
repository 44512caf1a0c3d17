import assert from 'node:assert/strict'
import { Comet, MemoryBroker, type PresenceConnection } from '../../lib/index.ts'
import { presenceNode } from '../contracts/handlers.ts'
import { ANY_RATE } from './comets.ts'
import { MemoryTransport } from './memory-transport.ts'
import type { Random } from './random.ts'
import { answerLate } from './slow-presence.ts'

const USERS = ['alice', 'bob']
/** `canEnter` refuses the vault. Hooks call back: who enters the trap is taken out, who leaves the spring is put back. */
const ROOMS = ['den', 'hall', 'vault', 'trap', 'spring']
const GRACE = 60_000
/** The most turns of the event loop that an answer of presence, or of `canEnter`, takes. */
const MOST_TURNS = 6

interface Page {
  readonly uid: string
  readonly clientId: string | undefined
  readonly node: Comet
  readonly transport: MemoryTransport
}

/** An event to a room that certain users must not get: they were outside, and nobody let them in. */
interface Secret {
  readonly evt: string
  readonly outsiders: readonly string[]
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise(setImmediate)
}

/**
 * Comets on one broker, whose presence answers late. Rounds of random calls that run at the same time; at rest after
 * each round, routing must equal presence.
 */
export class MembershipStorm {
  readonly #random: Random
  readonly #nodes: Comet[]
  /** Presence as it is, without delay. */
  readonly #truth: PresenceConnection
  readonly #pages: Page[] = []
  readonly #secrets: Secret[] = []
  readonly #problems: unknown[] = []
  #published = 0
  #callbacks = 0
  /** The users that may enter a room in this round, as `user room`. */
  #entering = new Set<string>()

  constructor(random: Random, nodes: number) {
    this.#random = random
    const broker = new MemoryBroker()
    const presence = answerLate(broker.presence, () => this.#wait())
    this.#truth = broker.presence.join(presenceNode('observer', 'comet').node)
    const canEnter = async ({ rid }: { rid: string }) => {
      await this.#wait()
      return rid !== 'vault'
    }
    this.#nodes = Array.from({ length: nodes }, () => {
      const bounds = { heartbeatInterval: 0, packetRate: 10_000, maxSessionsPerUser: 4, ...ANY_RATE }
      const comet = new Comet({ broker, presence, canEnter, offlineGrace: GRACE, ...bounds })
      comet.on('error', (error) => this.#problems.push(error))
      comet.on('enter', ({ uid, rid }) => this.#callBack(rid === 'trap', () => comet.leave({ uid }, rid)))
      comet.on('leave', ({ uid, rid }) => this.#callBack(rid === 'spring', () => comet.enter({ uid }, rid)))
      return comet
    })
  }

  /** Runs some calls at once, and checks everything when all have settled. */
  async round(): Promise<void> {
    this.#entering = new Set()
    this.#callbacks = 0
    const inside = await this.#insiders()
    const calls = Array.from({ length: this.#random.int(2, 8) }, () => this.#pickCall())
    const outsiders = (rid: string) =>
      USERS.filter((uid) => !inside.has(`${uid} ${rid}`) && !this.#entering.has(`${uid} ${rid}`))
    await Promise.all([
      ...calls.map(async (call) => {
        await turns(this.#random.int(0, 3))
        await call(outsiders)
      }),
      this.#publishSome(outsiders),
    ])
    await turns(3 * MOST_TURNS)
    assert.deepEqual(this.#problems, [])
    await this.#compare()
  }

  async close(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.close({ drain: 0 })))
    await this.#truth.close()
    for (const { uid, transport } of this.#pages) {
      const got = transport.published
      assert.equal(new Set(got).size, got.length, 'an event came twice')
      for (const { evt, outsiders } of this.#secrets) {
        assert.ok(!outsiders.includes(uid) || !got.includes(evt), `${uid} got ${evt} from outside`)
      }
    }
  }

  async #wait(): Promise<void> {
    await turns(this.#random.int(0, MOST_TURNS))
  }

  #callBack(applies: boolean, call: () => Promise<unknown>): void {
    // Two nodes must not chase each other for ever.
    if (!applies || this.#callbacks > 20) return
    this.#callbacks += 1
    call().catch((error) => this.#problems.push(error))
  }

  #pickCall(): (outsiders: (rid: string) => string[]) => Promise<unknown> {
    const uid = this.#random.pick(USERS)
    const rid = this.#random.pick(ROOMS)
    const node = this.#random.pick(this.#nodes)
    const page = this.#pages.length > 0 ? this.#random.pick(this.#pages.slice(-6)) : undefined
    const mayEnter = (user: string) => this.#entering.add(`${user} ${rid}`)
    const sid = page?.transport.control('ready')?.sid as string | undefined
    const packet = (type: string, body: object) => async () => {
      if (sid === undefined) return
      await node
        .receive({ sid, identity: page?.uid, packet: { type, [type.toLowerCase()]: body } })
        .catch(mustBeRefusal)
    }
    switch (this.#random.int(0, 12)) {
      case 0:
      case 1:
      case 2: {
        mayEnter(uid)
        const isNamed = this.#random.chance(0.3)
        const clientId = this.#random.pick(['one', 'two', undefined])
        return () => this.#connect({ uid, clientId, node }, isNamed ? [rid] : [], isNamed ? [] : [rid])
      }
      case 3:
        return async () => {
          page?.transport.drop()
        }
      case 4:
        if (page) mayEnter(page.uid)
        return packet('JOIN', { rid })
      case 5:
        return packet('LEAVE', { rid })
      case 6:
        return packet('BYE', this.#random.chance(0.5) ? { connection: sid } : {})
      case 7:
        mayEnter(uid)
        return () => node.enter({ uid }, rid)
      case 8:
        if (rid === 'spring') mayEnter(uid)
        return async (outsiders) => {
          await node.leave({ uid }, rid)
          await this.#publish(rid, outsiders(rid).concat(this.#entering.has(`${uid} ${rid}`) ? [] : [uid]))
        }
      case 9:
        if (page) mayEnter(page.uid)
        return async () => sid && node.enter({ sid }, rid)
      case 10:
        return async () => sid && node.leave({ sid }, rid)
      case 11:
        return () => node.disconnect({ uid })
      default:
        return async () => sid && node.disconnect({ sid })
    }
  }

  async #connect(who: Omit<Page, 'transport'>, rooms: string[], rids: string[]): Promise<void> {
    const transport = new MemoryTransport()
    const { uid, clientId, node } = who
    const request = { transport, rids, ...(clientId === undefined ? {} : { clientId }) }
    await node.connect({ identity: { uid, rooms }, ...request }).catch(mustBeRefusal)
    this.#pages.push({ ...who, transport })
  }

  async #publishSome(outsiders: (rid: string) => string[]): Promise<void> {
    for (let count = 0; count < 6; count += 1) {
      await turns(this.#random.int(0, 3))
      const rid = this.#random.pick(ROOMS)
      await this.#publish(rid, outsiders(rid))
    }
  }

  async #publish(rid: string, outsiders: readonly string[]): Promise<string> {
    this.#published += 1
    const evt = `${this.#published} to ${rid}`
    this.#secrets.push({ evt, outsiders })
    await this.#random.pick(this.#nodes).publish({ rid, evt })
    return evt
  }

  /** The users that are in rooms, as `user room`. */
  async #insiders(): Promise<Set<string>> {
    const found = new Set<string>()
    for (const rid of ROOMS) {
      for (const { uid } of (await this.#truth.members(rid)).members) found.add(`${uid} ${rid}`)
    }
    return found
  }

  /** Compares routing with presence, and with who gets an event. */
  async #compare(): Promise<void> {
    for (const rid of ROOMS) {
      const expected: string[] = []
      const routed: string[] = []
      for (const node of this.#nodes) {
        const { sessions, rooms } = node.dump()
        routed.push(...(rooms.find((room) => room.rid === rid)?.sids ?? []))
        for (const { uid, sid } of sessions) {
          const located = await this.#truth.locate(sid)
          assert.ok(located?.connected && located.node === node.stats().node, `presence has lost ${sid}`)
          const session = { uid, sid, connection: located.connection }
          const own = await this.#truth.membership(session, rid)
          const shared = await this.#truth.membership({ uid }, rid)
          if (own !== undefined || shared !== undefined) expected.push(sid)
        }
      }
      assert.deepEqual(routed.sort(), expected.sort(), `routing of ${rid} is not what presence says`)
      const evt = await this.#publish(rid, [])
      await turns(4)
      const got = this.#pages.filter(({ transport }) => transport.published.includes(evt))
      const sids = got.map(({ transport }) => transport.sid)
      assert.deepEqual(sids.sort(), expected, `the members of ${rid} do not get its events`)
    }
  }
}

/** A client may be refused, but nothing may fail. */
function mustBeRefusal(error: unknown): void {
  const { code } = error as { code?: string }
  const refusals = ['ROOM_REFUSED', 'NO_SUCH_SESSION', 'NOT_YOUR_SESSION', 'UNAVAILABLE', 'TOO_MANY_ROOMS']
  if (!refusals.includes(String(code))) throw error
}
