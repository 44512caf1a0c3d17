import { setTimeout as sleep } from 'node:timers/promises'
import { type CometOptions, MemoryBroker } from '../../lib/index.ts'
import { adapterOf, startApp, type TestApp } from './apps.ts'
import { until } from './inbox.ts'
import { Random } from './random.ts'
import { RoughProxy } from './rough-proxy.ts'
import { answerLate } from './slow-presence.ts'
import { LibraryClient, RawClient, type StormClient } from './storm-clients.ts'
import { StormLedger, WORLD } from './storm-ledger.ts'

/** How long a storm lasts. */
export const STORM_MS = Number(process.env.COMET_TORTURE_SECONDS ?? 5) * 1_000

/** How long all may take to come back when it is over: the server asks some to wait for more than a second. */
export const PATIENCE_MS = 30_000

/** How late a request may come that was given up. */
const LATE_MS = 1_000

export interface StormOptions {
  readonly clients: number
  readonly rooms: number
  readonly comet: CometOptions
  /** The rest of a client's query. */
  readonly queryOf: (index: number) => string
  /** Default: every client is a user of its own. */
  readonly uidOf?: (index: number) => string
  /** Is shown the storm before anybody comes. */
  readonly watch?: (storm: Storm) => void
}

/** A server, clients of two kinds, and bad weather between them. */
export class Storm {
  readonly random: Random
  readonly host: TestApp
  readonly proxy: RoughProxy
  readonly ledger: StormLedger
  readonly clients: readonly StormClient[]

  private constructor(random: Random, host: TestApp, proxy: RoughProxy, options: StormOptions) {
    const { clients, rooms, queryOf, uidOf = (index) => `user-${index}` } = options
    this.random = random
    this.host = host
    this.proxy = proxy
    const uids = Array.from({ length: clients }, (_, index) => uidOf(index))
    const rids = Array.from({ length: rooms }, (_, index) => `room-${index}`)
    this.ledger = new StormLedger(host.comet, random, Array.from(new Set(uids)), rids)
    const { ledger } = this
    this.clients = uids.map((uid, index) => {
      const url = `http://127.0.0.1:${proxy.port}/comet?u=${uid}&${queryOf(index)}`
      return index % 2 === 0
        ? new LibraryClient(url, uid, ledger)
        : new RawClient(url, uid, ledger, () => random.int(10, 300))
    })
  }

  /** All clients are connected when it settles. */
  static async gather(options: StormOptions): Promise<Storm> {
    const random = new Random()
    const broker = new MemoryBroker()
    const comet = {
      broker,
      presence: answerLate(broker.presence, () => random.int(0, 60)),
      canEnter: async () => {
        await sleep(random.int(0, 30))
        return true
      },
      retry: 1_000,
      heartbeatInterval: 200,
    }
    const host = await startApp(adapterOf('Express 5'), { comet: { ...comet, ...options.comet } })
    const storm = new Storm(random, host, await RoughProxy.to(host.port, random), options)
    options.watch?.(storm)
    for (const client of storm.clients) client.open()
    await until(() => storm.clients.every(({ sids }) => sids.length > 0), 'all connected', PATIENCE_MS)
    return storm
  }

  /** Publishes in bad weather, while `meanwhile` goes on; then the weather is good again. */
  async rage(meanwhile: () => Promise<unknown> = async () => {}): Promise<void> {
    this.proxy.raging = true
    await Promise.all([this.ledger.storm(STORM_MS), meanwhile()])
    this.proxy.raging = false
    // What was asked for before may reach the server late, and take over from a client that is well.
    await until(() => this.proxy.isCalm, 'calm', PATIENCE_MS)
    await sleep(LATE_MS)
    // A page that gave up a request which took over from it, and was still there when it came back, needs its user.
    for (const client of this.clients) if (client.refused === 'TAKEN_OVER') client.reload()
  }

  /** Publishes to all, and settles when all have caught up with it. */
  async settle(): Promise<void> {
    const last = this.ledger.publish(WORLD)
    const late = () => this.clients.filter(({ latest, refused }) => latest < last && refused === undefined)
    await until(
      () => late().length === 0,
      () =>
        `caught up: ${late().map(({ uid, latest, sids }) => `${uid} at ${latest}, ${sids.length} streams`)}`,
      PATIENCE_MS,
    ).catch((error: Error) => {
      error.message += ` (${this.summary})`
      throw error
    })
  }

  /** For the failure message, and to see that it was a storm. */
  get summary(): string {
    const streams = this.clients.reduce((sum, { sids }) => sum + sids.length, 0)
    const got = this.clients.reduce((sum, { log }) => sum + log.length, 0)
    const faults = Object.entries(this.proxy.faults).map(([fault, count]) => `${count} ${fault}`)
    return (
      `COMET_TORTURE_SEED=${this.random.seed}: ${this.ledger.entries.length} events, ${got} received, ` +
      `${streams} streams of ${this.clients.length} clients, ${faults.join(', ')}, ` +
      `closes ${JSON.stringify(this.host.comet.stats().closes)}`
    )
  }

  async close(): Promise<void> {
    for (const client of this.clients) client.stop()
    this.proxy.close()
    await this.host.close()
  }
}
