import { setTimeout as sleep } from 'node:timers/promises'
import { type CometOptions, MemoryBroker } from '../../lib/index.ts'
import { adapterOf, startApp, type TestApp } from './apps.ts'
import { EventLedger, WORLD } from './event-ledger.ts'
import { FaultyProxy } from './faulty-proxy.ts'
import { scaled, until } from './inbox.ts'
import { Random, SEED } from './random.ts'
import { answerLate } from './slow-presence.ts'
import { sampled } from './tier.ts'
import { LibraryClient, RawClient, type TortureClient } from './torture-clients.ts'

/** How long connections are disturbed, at least. */
export const TORTURE_MS = sampled(60_000, 1_500)

/** How long all clients may take to reconnect after that: the server asks some to wait for more than a second. */
export const PATIENCE_MS = scaled(30_000)

export interface TortureOptions {
  readonly clients: number
  readonly rooms: number
  readonly comet: CometOptions
  /** The rest of a client's query. */
  readonly queryOf: (index: number) => string
  /** Default: every client is a user of its own. */
  readonly uidOf?: (index: number) => string
  /** Called before any client connects. */
  readonly watch?: (torture: Torture) => void
}

/** An app whose ports are slow, clients of two kinds, and a proxy between them that disturbs their connections. */
export class Torture {
  readonly random: Random
  readonly app: TestApp
  readonly proxy: FaultyProxy
  readonly ledger: EventLedger
  readonly clients: readonly TortureClient[]
  /** Counts the calls of the app's ports and callbacks that have not been answered. */
  readonly #calls: { pending: number }

  private constructor(
    random: Random,
    app: TestApp,
    proxy: FaultyProxy,
    calls: { pending: number },
    options: TortureOptions,
  ) {
    const { clients, rooms, queryOf, uidOf = (index) => `user-${index}` } = options
    this.random = random
    this.app = app
    this.proxy = proxy
    this.#calls = calls
    const uids = Array.from({ length: clients }, (_, index) => uidOf(index))
    const rids = Array.from({ length: rooms }, (_, index) => `room-${index}`)
    this.ledger = new EventLedger(app.comet, random, Array.from(new Set(uids)), rids)
    const { ledger } = this
    this.clients = uids.map((uid, index) => {
      const url = `http://127.0.0.1:${proxy.port}/comet?u=${uid}&${queryOf(index)}`
      return index % 2 === 0
        ? new LibraryClient(url, uid, ledger)
        : new RawClient(url, uid, ledger, () => random.int(10, 300))
    })
  }

  /** Settles when all clients are connected. */
  static async start(options: TortureOptions): Promise<Torture> {
    const random = new Random()
    const broker = new MemoryBroker()
    const calls = { pending: 0 }
    const delay = async (most: number) => {
      calls.pending += 1
      await sleep(random.int(0, most))
      calls.pending -= 1
    }
    const comet = {
      broker,
      presence: answerLate(broker.presence, () => delay(60)),
      canEnter: async () => {
        await delay(30)
        return true
      },
      retry: 1_000,
      heartbeatInterval: 200,
    }
    const app = await startApp(adapterOf('Express 5'), { comet: { ...comet, ...options.comet } })
    const proxy = await FaultyProxy.to(app.port, random)
    const torture = new Torture(random, app, proxy, calls, options)
    torture.ledger.sids = () => torture.clients.flatMap(({ sid }) => sid ?? [])
    options.watch?.(torture)
    for (const client of torture.clients) client.open()
    await until(() => torture.clients.every(({ sids }) => sids.length > 0), 'all connected', PATIENCE_MS)
    return torture
  }

  /**
   * Publishes while connections are disturbed, and until every client has been hit. Settles when the clients have
   * reconnected.
   *
   * @param meanwhile what else goes on
   */
  async disturb(meanwhile: () => Promise<unknown> = async () => {}): Promise<void> {
    this.proxy.begin()
    await Promise.all([this.ledger.publishFor(TORTURE_MS, () => this.proxy.hasHitAll), meanwhile()])
    this.proxy.end()
    await this.#until(
      () => this.#isQuiet,
      () => 'quiet',
    )
  }

  /** Publishes to all, and settles when all clients have caught up with it. */
  async catchUp(): Promise<void> {
    const last = this.ledger.publish(WORLD)
    const late = () => this.clients.filter(({ latest, refused }) => latest < last && refused === undefined)
    await this.#until(
      () => late().length === 0,
      () =>
        `caught up: ${late().map(({ uid, latest, sids }) => `${uid} at ${latest}, ${sids.length} streams`)}`,
    )
  }

  /** For failure messages. */
  get summary(): string {
    const streams = this.clients.reduce((sum, { sids }) => sum + sids.length, 0)
    const received = this.clients.reduce((sum, { log }) => sum + log.length, 0)
    const faults = Object.entries(this.proxy.faults).map(([fault, count]) => `${count} ${fault}`)
    return (
      `COMET_TEST_SEED=${SEED}: ${this.ledger.entries.length} events, ${received} received, ` +
      `${streams} streams of ${this.clients.length} clients, ${faults.join(', ')}, ` +
      `closes ${JSON.stringify(this.app.comet.stats().closes)}`
    )
  }

  async close(): Promise<void> {
    for (const client of this.clients) client.stop()
    this.proxy.close()
    await this.app.close()
  }

  /**
   * Whether every client has one connection that the server has, too, and nothing else is under way: no request that a
   * client gave up may reach the server later and take over from a client that is connected.
   */
  get #isQuiet(): boolean {
    const { proxy, app, clients } = this
    const { sessions } = app.comet.stats()
    const isSettled = proxy.isCalm && this.#calls.pending === 0 && app.sockets.size === proxy.connections
    return isSettled && sessions === clients.length && proxy.connections >= clients.length
  }

  async #until(holds: () => boolean, what: () => string): Promise<void> {
    const look = () => {
      // A request that a page gave up may take over from the page's own stream, and the page is told to stay away
      // while the server takes that request for alive. Then the page needs its user, who reloads it.
      for (const client of this.clients) if (client.refused === 'TAKEN_OVER') client.reload()
      return holds()
    }
    await until(look, () => `${what()} (${this.summary})`, PATIENCE_MS)
  }
}
