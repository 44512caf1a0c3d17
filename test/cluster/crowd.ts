import { setTimeout as sleep } from 'node:timers/promises'
import { scaled, until } from '../support/inbox.ts'
import type { Random } from '../support/random.ts'
import type { NodeState, Task } from './cluster-node.ts'
import type { NodeHandle } from './node-handle.ts'
import type { OnlineUser, Published, To } from './observations.ts'
import { Page } from './page.ts'
import { Whereabouts } from './whereabouts.ts'

const USERS = ids('user', 10)
/** Rooms that pages ask for by URL. */
const URL_ROOMS = ids('url', 4)
/** Rooms that sessions are put into, and leave. */
const SESSION_ROOMS = ids('den', 3)
/** Rooms that users are put into, and leave. */
const USER_ROOMS = ids('club', 3)
/** All rooms of a crowd. */
export const ROOMS = [...URL_ROOMS, ...SESSION_ROOMS, ...USER_ROOMS]

const MOST_PAGES = 24
const MOST_ACTS = 12
const SETTLE_MS = scaled(30_000)

export interface CrowdSettings {
  readonly url: string
  readonly random: Random
  /** The nodes that can be asked now. */
  readonly nodes: () => readonly NodeHandle[]
  /** Milliseconds. */
  readonly grace: number
  /** How long a page waits for a sign of life, in milliseconds. */
  readonly patience: number
}

/** Users with pages that come, go, reconnect, and enter rooms, while nodes publish: all of it at random. */
export class Crowd {
  readonly pages: Page[] = []
  readonly published: Published[] = []
  /** The acts so far, by kind, and those that failed, by code. */
  readonly counts: Record<string, number> = {}
  readonly #settings: CrowdSettings
  readonly #random: Random
  readonly #whereabouts = new Whereabouts((uid) => this.pages.filter((page) => page.uid === uid))
  #running = 0
  #lives = false

  constructor(settings: CrowdSettings) {
    this.#settings = settings
    this.#random = settings.random
  }

  /** Acts for some time. */
  async live(milliseconds: number): Promise<void> {
    await this.liveWhile(() => sleep(milliseconds))
  }

  /** Acts until something has happened. */
  async liveWhile(happens: () => Promise<unknown>): Promise<void> {
    this.#lives = true
    const acting = [this.#publishSome(), this.#actSome()]
    try {
      await happens()
    } finally {
      this.#lives = false
      await Promise.all(acting)
    }
  }

  /** Settles when every page that comes back is there, and has got all that there is. */
  async settle(): Promise<void> {
    await until(() => this.#running === 0, 'the end of all calls', SETTLE_MS)
    const present = () => this.pages.filter(({ isOver }) => !isOver)
    const away = () => present().filter(({ ready }) => ready === undefined)
    await until(
      () => away().length === 0,
      () => `${away().length} pages back`,
      SETTLE_MS,
    )
    const last = this.#settings.nodes().map((node) => this.#publish(node, {}))
    const late = () => present().filter(({ numbers }) => !last.every((n) => numbers.has(n)))
    await until(
      () => late().length === 0,
      () => `${late().length} pages up to date: ${late().map(({ uid }) => uid)}`,
      SETTLE_MS,
    )
    for (const page of this.pages) page.isCaughtUp = !page.isOver
    this.#whereabouts.settle()
  }

  /**
   * A fault begins: until {@link settle} nobody can tell what calls about rooms have changed.
   *
   * @param lostSince from when on the store loses it
   */
  doubt(lostSince?: number): void {
    this.#whereabouts.doubt(this.pages, lostSince)
  }

  stop(): void {
    for (const page of this.pages) page.stop()
  }

  async #publishSome(): Promise<void> {
    const random = this.#random
    while (this.#lives) {
      const node = random.pick(this.#settings.nodes())
      const count = random.chance(0.05) ? 40 : random.int(1, 6)
      for (let each = 0; each < count; each += 1) this.#publishAny(node)
      await sleep(random.int(0, 20))
    }
  }

  #publishAny(node: NodeHandle): void {
    const random = this.#random
    const kind = random.next()
    const sids = this.pages.flatMap(({ ready }) => ready?.sid ?? [])
    const to: To =
      kind < 0.25
        ? { uid: this.#several(USERS) }
        : kind < 0.75
          ? { rid: this.#several(ROOMS) }
          : kind < 0.85 && sids.length > 0
            ? { sid: this.#several(sids) }
            : {}
    const except = random.chance(0.15) ? this.#several(USERS) : []
    this.#publish(node, to, except, random.chance(0.15))
  }

  #publish(node: NodeHandle, to: To, except: readonly string[] = [], transient = false): number {
    const event = this.event(node, to, except, transient)
    const bytes = this.#random.chance(0.02) ? 20_000 : this.#random.int(0, 300)
    this.#ask(node, { do: 'publish', events: [event], bytes })
    return event.n
  }

  /** Numbers an event that a node will publish. */
  event(node: NodeHandle, to: To, except: readonly string[] = [], transient = false): Published {
    const at = performance.timeOrigin + performance.now()
    const event = { n: this.published.length, node: node.name, at, to, except, transient }
    this.published.push(event)
    return event
  }

  async #actSome(): Promise<void> {
    while (this.#lives) {
      if (this.#running < MOST_ACTS) this.#act()
      await sleep(this.#random.int(0, 40))
    }
  }

  #act(): void {
    const random = this.#random
    const present = this.pages.filter(({ isOver }) => !isOver)
    if (present.length < MOST_PAGES / 2 || (present.length < MOST_PAGES && random.chance(0.15))) {
      this.#connect()
      return
    }
    const page = random.pick(present)
    const { uid } = page
    const node = random.pick(this.#settings.nodes())
    const kind = random.int(0, 99)
    if (kind < 25) this.#count('drop', () => page.drop())
    else if (kind < 40) this.#count('takeover', () => page.reload())
    else if (kind < 45) this.#count('stop', () => page.stop())
    else if (kind < 62) this.#packet(page, random.pick(SESSION_ROOMS), random.chance(0.6))
    else if (kind < 70) this.#member(node, page, random.pick(SESSION_ROOMS), random.chance(0.6))
    else if (kind < 88) this.#user(node, uid, random.pick(USER_ROOMS), random.chance(0.6))
    else if (kind < 93) this.#user(node, uid, random.pick(SESSION_ROOMS), false)
    else if (kind < 95) this.#bye(page)
    else this.#disconnect(node, uid, random.chance(0.6))
  }

  #connect(): void {
    const random = this.#random
    const { url, grace, patience } = this.#settings
    const settings = {
      uid: random.pick(USERS),
      clientId: `page-${this.pages.length}`,
      rids: random.chance(0.7) ? this.#several(URL_ROOMS) : [],
      // Some are back at once, and some when their grace is over.
      pause: () => random.int(0, random.pick([20, 200, 1.5 * grace])),
      patience,
    }
    this.#count('connect', () => this.pages.push(new Page(url, settings, this.#whereabouts)))
  }

  /** The page joins or leaves a room. */
  #packet(page: Page, rid: string, joins: boolean): void {
    const ended = this.#whereabouts.begin(page.uid, rid, joins, page)
    const packet = joins ? { type: 'JOIN', join: { rid } } : { type: 'LEAVE', leave: { rid } }
    this.#call(joins ? 'JOIN' : 'LEAVE', async () => {
      const { status } = await page.post(packet)
      ended(status === 204 ? 'done' : status >= 400 && status < 500 ? 'refused' : 'unknown')
      if (status !== 204) this.#failed(`POST ${status}`)
    })
  }

  /** The app puts a session into a room, or takes it out. */
  #member(node: NodeHandle, page: Page, rid: string, puts: boolean): void {
    if (page.ready === undefined) return
    const { sid } = page.ready
    const ended = this.#whereabouts.begin(page.uid, rid, puts, page)
    this.#call(puts ? 'enter' : 'leave', async () => {
      const answer = await this.#ask(node, { do: puts ? 'enter' : 'leave', who: { sid }, rid })
      ended(answer === undefined ? 'unknown' : answer === true ? 'done' : 'refused')
    })
  }

  /** The app puts a user into a room, or takes it out. */
  #user(node: NodeHandle, uid: string, rid: string, puts: boolean): void {
    const ended = this.#whereabouts.begin(uid, rid, puts)
    this.#call(puts ? 'enter user' : 'leave user', async () => {
      const answer = await this.#ask(node, { do: puts ? 'enter' : 'leave', who: { uid }, rid })
      // Whoever was not in the room is not in it now, either.
      ended(answer === undefined ? 'unknown' : answer === true || !puts ? 'done' : 'refused')
    })
  }

  #disconnect(node: NodeHandle, uid: string, reconnect: boolean): void {
    this.#call('disconnect', async () => {
      await this.#ask(node, { do: 'disconnect', uid, reconnect })
    })
  }

  #bye(page: Page): void {
    const { ready } = page
    this.#call('BYE', async () => {
      await page.post({ type: 'BYE', bye: { connection: ready?.connection ?? '' } })
      page.stop()
    })
  }

  /** @returns undefined when it failed */
  async #ask(node: NodeHandle, task: Task): Promise<unknown> {
    try {
      return (await node.ask(task)) ?? true
    } catch (error) {
      this.#failed(`${task.do} ${(error as { code?: string }).code ?? error}`)
      return undefined
    }
  }

  #call(kind: string, act: () => Promise<void>): void {
    this.#running += 1
    this.#count(kind, () => act().finally(() => (this.#running -= 1)))
  }

  #count(kind: string, act: () => unknown): void {
    this.counts[kind] = (this.counts[kind] ?? 0) + 1
    act()
  }

  #failed(what: string): void {
    this.#count(`failed ${what}`, () => {})
  }

  /** Picks one, or sometimes several. */
  #several(from: readonly string[]): string[] {
    const count = this.#random.chance(0.3) ? this.#random.int(2, 3) : 1
    return Array.from(new Set(Array.from({ length: count }, () => this.#random.pick(from))))
  }
}

/** The users who are online, by what all nodes say. */
export async function onlineUsers(nodes: readonly NodeHandle[]): Promise<OnlineUser[]> {
  const rooms = new Map<string, Set<string>>()
  for (const node of nodes) {
    const { dump } = (await node.ask({ do: 'state' })) as NodeState
    for (const session of dump.sessions) {
      const known = rooms.get(session.uid) ?? new Set()
      rooms.set(session.uid, known)
      for (const rid of session.rooms) known.add(rid)
    }
  }
  return Array.from(rooms, ([uid, inside]) => ({ uid, rooms: Array.from(inside) }))
}

function ids(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${name}-${index}`)
}
