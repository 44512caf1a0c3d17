import { setTimeout as sleep } from 'node:timers/promises'
import { serve } from '../peer.js'
import { brokers } from './brokers.js'

/** The size of an event's data, in bytes. */
const DATA_BYTES = 150

const PADDING = 'x'.repeat(DATA_BYTES - 32)

/** The most events whose publishing has not settled. */
const MOST_UNSETTLED = 20_000

/** The time between two turns of publishing, in milliseconds. */
const TURN_MS = 5

/** How often a reader looks whether all has come, in milliseconds. */
const LOOK_MS = 5

/** How long a reader waits for another event, in milliseconds. */
const PATIENCE_MS = 10_000

/** The most faults that are told. */
const MOST_FAULTS = 5

/** @type {import('comet-sse').BrokerConnection} */
let broker
/** The number of the next event. */
let next = 0
/** @type {string[]} */
let faults = []
/** Milliseconds. @type {number[]} */
let latencies = []
/** @type {import('./brokers.js').StartedBroker['append']} */
let append

/** Microseconds on a clock that all processes share. */
function now() {
  const [seconds, nanoseconds] = process.hrtime()
  return Math.floor(seconds * 1e6 + nanoseconds / 1e3)
}

/** @param {number} number */
function textOf(number) {
  return `${String(number).padStart(15, '0')} ${String(now()).padStart(15, '0')} ${PADDING}`
}

/** @param {{ readonly data: string }} delivery */
function deliver({ data }) {
  const number = Number(data.slice(0, 15))
  if (number !== next) faults.push(`event ${number} in place of ${next}`)
  next = number + 1
  latencies.push((now() - Number(data.slice(16, 31))) / 1_000)
}

serve({
  /** @param {{ contender: string, ports: import('./servers.js').Ports, id: string, receives: boolean }} request */
  async start({ contender, ports, id, receives }) {
    const started = await brokers[contender]?.start(ports)
    if (started === undefined) throw new Error(`There is no contender ${contender}.`)
    append = started.append
    broker = started.broker.join({
      id,
      receives,
      deliver,
      namespace: 'bench',
      server: id,
      history: { age: 60_000, bytes: 16_777_216 },
      begin() {},
      restore() {},
      onStatus() {},
      onError: (error) => faults.push(error.message),
      secret: async () => 'the secret of the bench',
    })
    await broker.ready
  },

  /**
   * Publishes events with the numbers from `from` on. Without a rate: as many as there is room for.
   *
   * @param {{ from: number, count: number, rate?: number }} plan
   * @returns the seconds until the last one was acknowledged
   */
  async publish({ from, count, rate = Number.POSITIVE_INFINITY }) {
    const start = performance.now()
    let [sent, unsettled] = [0, 0]
    /** @type {unknown} */
    let failure
    while (sent < count && failure === undefined) {
      const due = Math.min(count, ((performance.now() - start) / 1_000) * rate)
      while (sent < due && unsettled < MOST_UNSETTLED) {
        const to = { uids: [`user-${sent % 3_000}`] }
        unsettled += 1
        broker.publish({ to, data: textOf(from + sent) }).then(
          () => {
            unsettled -= 1
          },
          (error) => {
            failure = error
          },
        )
        sent += 1
      }
      await new Promise((resolve) => (rate < 1e6 ? setTimeout(resolve, TURN_MS) : setImmediate(resolve)))
    }
    await broker.published()
    if (failure !== undefined) throw failure
    return (performance.now() - start) / 1_000
  },

  /** Publishes without a broker, to compare with: 500 texts at a time. @param {{ count: number }} plan */
  async append({ count }) {
    for (let sent = 0; sent < count; sent += 500) {
      await append(Array.from({ length: 500 }, (_, index) => textOf(sent + index)))
    }
  },

  /** Forgets what was delivered, and awaits the events up to a number. @param {{ upTo: number }} request */
  async take({ upTo }) {
    latencies = []
    faults = []
    let [last, since] = [next, performance.now()]
    while (next < upTo) {
      await sleep(LOOK_MS)
      if (next > last) [last, since] = [next, performance.now()]
      else if (performance.now() - since > PATIENCE_MS) {
        faults.push(`event ${next} did not come`)
        next = upTo
      }
    }
    const sorted = Float64Array.from(latencies).sort()
    const at = (/** @type {number} */ share) => sorted[Math.floor(sorted.length * share)]
    return { faults: faults.slice(0, MOST_FAULTS), p50: at(0.5), p99: at(0.99) }
  },

  /** Microseconds of processor time since the start of the process. */
  cpu() {
    const { user, system } = process.cpuUsage()
    return user + system
  },
})
