import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { openConnections } from './contenders/http.js'
import { contenderOf } from './contenders/index.js'
import { serve } from './peer.js'

/** The resolution of the longest stall, in milliseconds. */
const RESOLUTION_MS = 10

/** How long clients may take to disconnect, in milliseconds. */
const DISCONNECT_MS = 10_000

/** @type {import('./types.js').Server} */
let server

serve({
  /**
   * @param {{ contender: string, kind: import('./types.js').Kind, options: import('./types.js').ServerOptions }} request
   */
  async start({ contender, kind, options }) {
    server = await contenderOf(contender).start(kind, options)
    return server.port
  },

  /** @returns {import('./types.js').Usage} */
  usage() {
    if (server.usage !== undefined) return server.usage()
    const { user, system } = process.cpuUsage()
    const { rss, heapUsed } = process.memoryUsage()
    return { cpu: user + system, rss, heap: heapUsed }
  },

  /** Processor time since the start, in microseconds. */
  cpu() {
    if (server.usage !== undefined) return server.usage().cpu
    const { user, system } = process.cpuUsage()
    return user + system
  },

  /** Collects garbage, so that figures of memory compare. */
  async collect() {
    for (let round = 0; round < 3; round += 1) {
      globalThis.gc?.()
      await sleep(50)
    }
  },

  publish,

  position: () => server.position?.(),

  /** Waits until the server has seen that all clients have closed their connections. */
  async disconnected() {
    for (const start = performance.now(); performance.now() < start + DISCONNECT_MS; await sleep(5)) {
      if ((await openConnections()) === 0) return
    }
  },

  async end() {
    await server?.close?.()
  },
})

/**
 * Publishes numbered texts at a steady pace: there is a turn every `interval` milliseconds, and each turn publishes
 * `burst` texts.
 *
 * @param {import('./types.js').Publication} plan
 * @returns {Promise<{ stall: number }>} the longest time that the event loop was blocked, in milliseconds
 */
async function publish({ first, turns, burst, interval, size, targets = 0, settle = 20 }) {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delay.enable()
  const start = performance.now()
  let published = 0
  for (let turn = 0; turn < turns; turn += 1) {
    // A late turn waits for the next turn of the event loop, too, so that two bursts are never written together.
    await sleep(Math.max(1, start + turn * interval - performance.now()))
    const texts = []
    for (let each = 0; each < burst; each += 1) {
      if (targets > 0) {
        server.publish(textOf(first + Math.floor(published / targets), size), published % targets)
      } else {
        texts.push(textOf(first + published, size))
      }
      published += 1
    }
    if (texts.length === 1 || server.burst === undefined) for (const text of texts) server.publish(text)
    else server.burst(texts)
  }
  // The last texts are written in a later turn of the event loop, which may be blocked by that.
  await sleep(settle)
  delay.disable()
  return { stall: Math.max(0, delay.max / 1e6 - RESOLUTION_MS) }
}

/** @param {number} n @param {number} size in bytes */
function textOf(n, size) {
  return `#n=${n};t=${process.hrtime.bigint() / 1_000n};`.padEnd(size, 'x')
}
