import { setTimeout as sleep } from 'node:timers/promises'
import { ROOM_SIZE } from './contenders/http.js'
import { Peer } from './peer.js'

/** How long texts may take to be delivered, in milliseconds. */
const DEADLINE_MS = 60_000

/** The bytes of a text: about a chat message or a notification. */
const SIZE = 150

/**
 * @typedef {object} StandOptions
 * @property {string} contender
 * @property {import('./types.js').Kind} kind
 * @property {import('./types.js').ServerOptions} [server] Default: none
 * @property {string} [packageFolder] the folder of the Comet to measure. Default: this repository
 * @property {string[]} [flags] of Node, for the server. Default: none
 */

/** A server in one process and its clients in another. Measures what the clients cost the server. */
export class Stand {
  /** Why the figures are void. Empty when they are valid. @type {string[]} */
  faults = []
  #server
  #load = new Peer(new URL('./load.js', import.meta.url))
  #contender
  #kind
  #port = 0
  /** The number of the next text. */
  #next = 0

  /** @param {StandOptions} options */
  constructor({ contender, kind, packageFolder, flags = [] }) {
    /** @type {Record<string, string>} */
    const env = packageFolder === undefined ? {} : { COMET_BENCH_PACKAGE: packageFolder }
    const execArgv = ['--expose-gc', ...flags]
    this.#server = new Peer(new URL('./server.js', import.meta.url), { execArgv, env })
    this.#contender = contender
    this.#kind = kind
  }

  /** @param {StandOptions} options @returns {Promise<Stand>} a stand whose code V8 has seen, with no clients */
  static async start(options) {
    const stand = new Stand(options)
    try {
      const { contender, kind, server = {} } = options
      stand.#port = await stand.#server.ask('start', { contender, kind, options: server })
      await stand.#warmUp()
      return stand
    } catch (error) {
      await stand.end()
      throw error
    }
  }

  /**
   * Measures on a new stand, and ends the stand.
   *
   * @param {string} contender @param {import('./types.js').Kind} kind
   * @param {(stand: Stand) => Promise<Record<string, number>>} measure
   * @returns {Promise<import('./types.js').Round>}
   */
  static async with(contender, kind, measure) {
    const stand = await Stand.start({ contender, kind })
    try {
      return { figures: await measure(stand), faults: stand.faults }
    } finally {
      await stand.end()
    }
  }

  async end() {
    await this.#load.end()
    await this.#server.end()
  }

  /** Collects the server's garbage, so that what made it does not count. */
  async collect() {
    await this.#server.ask('collect')
  }

  /** @returns {Promise<import('./types.js').Usage>} after garbage has been collected */
  async usage() {
    await this.collect()
    return await this.#server.ask('usage')
  }

  /**
   * Measures the server's processor time while something happens.
   *
   * @param {() => Promise<unknown>} work
   * @returns {Promise<number>} microseconds
   */
  async cost(work) {
    const before = await this.#server.ask('cpu')
    await work()
    return (await this.#server.ask('cpu')) - before
  }

  /**
   * Opens streams.
   *
   * @param {number} count
   * @param {{ query?: string, expect?: import('./types.js').Expectation }} [more] `query` is added to each request
   *   target, `expect` are texts that the clients must get at once
   */
  async open(count, more = {}) {
    await this.#load.ask('open', {
      contender: this.#contender,
      kind: this.#kind,
      port: this.#port,
      count,
      ...more,
    })
  }

  /**
   * Opens streams that resume, and waits until each client has got the texts that it missed.
   *
   * @param {number} count @param {string} position @param {number} missed texts published since that position
   * @returns {Promise<number>} what it cost the server, in microseconds
   */
  async resume(count, position, missed) {
    const expect = { first: this.#next - missed, each: missed, deadline: DEADLINE_MS }
    return await this.cost(async () => {
      await this.open(count, { query: `&lastEventId=${position}`, expect })
      await this.#counts()
    })
  }

  /** Closes all streams, and waits until the server has seen it. */
  async close() {
    await this.#load.ask('close')
    await this.#server.ask('disconnected')
  }

  /** @returns {Promise<string>} */
  position() {
    return this.#server.ask('position')
  }

  /**
   * Publishes, and waits until each client has got its texts.
   *
   * @param {import('./types.js').Plan} plan
   * @returns {Promise<{ rate: number, each: number, stall: number } & import('./types.js').Counts['latency']>} `rate` is
   *   deliveries in a second of the server's processor time, `each` microseconds of it for one delivery
   */
  async deliver(plan) {
    const { turns, burst, targets = 0 } = plan
    const each = targets > 0 ? Math.floor((turns * burst) / targets) : turns * burst
    const first = this.#next
    this.#next += each
    await this.#load.ask('expect', { first, each, deadline: plan.turns * plan.interval + DEADLINE_MS })
    let [deliveries, stall] = [0, 0]
    /** @type {import('./types.js').Counts['latency'] | undefined} */
    let latency
    const cpu = await this.cost(async () => {
      stall = (await this.#server.ask('publish', { ...plan, first, size: SIZE })).stall
      const counts = await this.#counts()
      deliveries = counts.deliveries
      latency = counts.latency
    })
    const { p50 = 0, p99 = 0, max = 0 } = latency ?? {}
    return { rate: deliveries / (cpu / 1e6), each: cpu / deliveries, stall, p50, p99, max }
  }

  /**
   * Publishes nothing for some time.
   *
   * @param {number} milliseconds
   * @returns {Promise<{ cpu: number, reads: number }>} what it cost the server in microseconds, and how often clients
   *   read something, which can only be heartbeats
   */
  async idle(milliseconds) {
    await this.#load.ask('reads')
    const cpu = await this.cost(() => sleep(milliseconds))
    const { reads, faults } = await this.#load.ask('reads')
    this.faults.push(...faults)
    return { cpu, reads }
  }

  /** @returns {Promise<import('./types.js').Counts>} when all clients have got what they must get, or at the deadline */
  async #counts() {
    const counts = await this.#load.ask('counts')
    this.faults.push(...counts.faults)
    return counts
  }

  /** Runs the code of server and clients once, so that neither its first run nor its memory counts. */
  async #warmUp() {
    const targets = this.#kind === 'rooms' ? 10 : 50
    await this.open(this.#kind === 'rooms' ? targets * ROOM_SIZE : targets)
    if (this.#kind === 'fanout') await this.deliver({ turns: 50, burst: 2, interval: 5 })
    // V8 optimizes what publishes to one target after some thousand events.
    else await this.deliver({ turns: 100, burst: 50, interval: 5, targets })
    await this.close()
  }
}
