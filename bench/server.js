import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { contenderOf } from './contenders/index.js'
import { serve } from './peer.js'

/** How exact the longest stall is, in milliseconds. */
const RESOLUTION_MS = 10

/** @type {import('./types.js').Server} */
let server

serve({
  /** @param {{ contender: string, kind: import('./types.js').Kind }} request */
  async start({ contender, kind }) {
    server = await contenderOf(contender).start(kind)
    return server.port
  },

  /** @returns {import('./types.js').Usage} */
  usage() {
    if (server.usage !== undefined) return server.usage()
    const { user, system } = process.cpuUsage()
    const { rss, heapUsed } = process.memoryUsage()
    return { cpu: user + system, rss, heap: heapUsed }
  },

  /** Frees what can be freed, so that memory compares. */
  async collect() {
    for (let round = 0; round < 3; round += 1) {
      globalThis.gc?.()
      await sleep(50)
    }
  },

  publish,

  position: () => server.position?.(),

  async end() {
    await server?.close?.()
  },
})

/**
 * Publishes numbered texts at a steady pace.
 *
 * @param {{ first: number, turns: number, burst: number, interval: number, size: number, targets?: number }} plan
 *   `first` is the number of the first text; every `interval` milliseconds is a turn, of `turns`, in which `burst`
 *   texts are published: to all, or where there are `targets` to the next ones of them in turn
 * @returns {Promise<{ stall: number }>} the longest that the event loop stood still, in milliseconds
 */
async function publish({ first, turns, burst, interval, size, targets = 0 }) {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delay.enable()
  const start = performance.now()
  let published = 0
  for (let turn = 0; turn < turns; turn += 1) {
    // Never two turns at once, however late it is.
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
  // What was published last is still to be written.
  await sleep(20)
  delay.disable()
  return { stall: Math.max(0, delay.max / 1e6 - RESOLUTION_MS) }
}

/** @param {number} n @param {number} size in bytes */
function textOf(n, size) {
  return `#n=${n};t=${process.hrtime.bigint() / 1_000n};`.padEnd(size, 'x')
}
