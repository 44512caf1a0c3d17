import { serve } from '../peer.js'
import { contenders } from './contenders.js'

/** @typedef {import('./contenders.js').ClusterNode} ClusterNode */

/** The size of a text, in bytes. */
const TEXT_BYTES = 150

/** The time between two turns of publishing, in milliseconds. */
const TURN_MS = 5

/** The most events whose publishing has not settled. A contender whose `publish` is no promise has none. */
const MOST_UNSETTLED = 10_000

/** @type {ClusterNode | undefined} */
let node

/** @param {number} number the text's number for its target */
function textOf(number) {
  const [seconds, nanoseconds] = process.hrtime()
  const time = Math.floor(seconds * 1e6 + nanoseconds / 1e3)
  return `#n=${number};t=${time};`.padEnd(TEXT_BYTES, 'x')
}

serve({
  /** @param {{ contender: string, kind: 'users' | 'rooms', ports: import('./servers.js').Ports }} request */
  async start({ contender, kind, ports }) {
    node = await contenders[contender]?.start(kind, ports)
    return node?.port
  },

  /**
   * Publishes to the targets `first`, `first + step`, … below `targets`, one text each, `each` times over.
   *
   * @param {{ first: number, step: number, targets: number, each: number, from: number, rate: number }} plan `from`: the
   *   number of the first text; `rate`: texts a second
   */
  async publish({ first, step, targets, each, from, rate }) {
    const perRound = Math.ceil((targets - first) / step)
    const total = perRound * each
    const start = performance.now()
    let [sent, unsettled] = [0, 0]
    /** @type {unknown} */
    let failure
    while (sent < total && failure === undefined) {
      const due = Math.min(total, Math.floor(((performance.now() - start) / 1_000) * rate))
      while (sent < due && unsettled < MOST_UNSETTLED) {
        const text = textOf(from + Math.floor(sent / perRound))
        const published = node?.publish(text, first + (sent % perRound) * step)
        sent += 1
        if (!(published instanceof Promise)) continue
        unsettled += 1
        published.then(
          () => {
            unsettled -= 1
          },
          (error) => {
            failure = error
          },
        )
      }
      await new Promise((resolve) => setTimeout(resolve, TURN_MS))
    }
    if (failure !== undefined) throw failure
    return (performance.now() - start) / 1_000
  },

  /** Microseconds of processor time since the start of the process. */
  cpu() {
    const { user, system } = process.cpuUsage()
    return user + system
  },
})
