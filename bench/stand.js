import { Peer } from './peer.js'

/** How long a phase may take to be delivered, in milliseconds. */
const DEADLINE_MS = 60_000

/** The bytes of a text: what a chat message or a notification takes. */
const SIZE = 150

/** A server in one process, its clients in another, and what it costs the server to serve them. */
export class Stand {
  faults = /** @type {string[]} */ ([])
  #server = new Peer(new URL('./server.js', import.meta.url), ['--expose-gc'])
  #load = new Peer(new URL('./load.js', import.meta.url))
  #contender
  #kind
  #port = 0
  #count = 0
  /** The number of the next text. */
  #next = 0

  /** @param {string} contender @param {import('./types.js').Kind} kind */
  constructor(contender, kind) {
    this.#contender = contender
    this.#kind = kind
  }

  /**
   * Measures with a stand of its own, which is taken down after.
   *
   * @param {string} contender @param {import('./types.js').Kind} kind
   * @param {(stand: Stand) => Promise<Record<string, number>>} measure
   * @returns {Promise<import('./types.js').Round>}
   */
  static async with(contender, kind, measure) {
    const stand = new Stand(contender, kind)
    try {
      stand.#port = await stand.#server.ask('start', { contender, kind })
      await stand.#warmUp()
      return { figures: await measure(stand), faults: stand.faults }
    } finally {
      await stand.#load.end()
      await stand.#server.end()
    }
  }

  /** @returns {Promise<import('./types.js').Usage>} once all that can be freed is free */
  async usage() {
    await this.#server.ask('collect')
    return await this.#server.ask('usage')
  }

  /** What something costs the server. @param {() => Promise<unknown>} work @returns {Promise<number>} in microseconds */
  async cost(work) {
    const before = await this.#server.ask('usage')
    await work()
    const after = await this.#server.ask('usage')
    return after.cpu - before.cpu
  }

  /**
   * Opens streams. @param {number} count @param {{ query?: string, headers?: string[] }} [more]
   */
  async open(count, more = {}) {
    this.#count += count
    await this.#load.ask('open', {
      contender: this.#contender,
      kind: this.#kind,
      port: this.#port,
      count,
      ...more,
    })
  }

  /** Closes all streams. */
  async close() {
    this.#count = 0
    await this.#load.ask('close')
  }

  /** @returns {Promise<string>} */
  position() {
    return this.#server.ask('position')
  }

  /**
   * Publishes, and counts until all clients have got what is for them.
   *
   * @param {{ turns: number, burst: number, interval: number, targets?: number }} plan see `publish` in server.js
   * @returns {Promise<{ rate: number, cpu: number, stall: number } & import('./types.js').Counts['latency']>} `rate`
   *   in deliveries a second of the server's processor time, `cpu` in microseconds
   */
  async deliver(plan) {
    const { turns, burst, targets = 0 } = plan
    const each = targets > 0 ? Math.floor((turns * burst) / targets) : turns * burst
    const first = this.#next
    this.#next += each
    await this.#load.ask('expect', { first, each, deadline: plan.turns * plan.interval + DEADLINE_MS })
    /** @type {{ stall: number }} */
    let published = { stall: 0 }
    /** @type {import('./types.js').Counts | undefined} */
    let counts
    const cpu = await this.cost(async () => {
      published = await this.#server.ask('publish', { ...plan, first, size: SIZE })
      counts = await this.#load.ask('counts')
    })
    const { deliveries = 0, latency = { p50: 0, p99: 0, max: 0 }, faults = [] } = counts ?? {}
    this.faults.push(...faults)
    return { rate: deliveries / (cpu / 1e6), cpu, ...published, ...latency }
  }

  /** What is done for the first time takes longer, and memory that is there once is not a session's. */
  async #warmUp() {
    await this.open(this.#kind === 'rooms' ? 100 : 50)
    if (this.#kind === 'fanout') await this.deliver({ turns: 50, burst: 2, interval: 5 })
    await this.close()
  }
}
