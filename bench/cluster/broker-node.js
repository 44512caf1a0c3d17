import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { importComet } from '../comet-package.js'
import { serve } from '../peer.js'

/** The size of an event's data, in bytes. */
const DATA_BYTES = 150

const PADDING = 'x'.repeat(DATA_BYTES - 32)

/** The most events whose publishing has not settled. */
const MOST_UNSETTLED = 20_000

/** The time between two turns of publishing, in milliseconds. */
const TURN_MS = 5

/** @type {import('comet-sse/redis').RedisCluster} */
let cluster
/** @type {import('comet-sse').BrokerConnection} */
let broker
/** The number of the next event. */
let next = 0
/** @type {string[]} */
let faults = []
/** Milliseconds. @type {number[]} */
let latencies = []
/** Sends XADD. @type {(args: string[]) => Promise<unknown>} */
let append
/** Called when an event was delivered. */
let onDelivered = () => {}

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
  onDelivered()
}

serve({
  /** @param {{ redisPort: number, library: 'redis' | 'ioredis', id: string, receives: boolean }} request */
  async start({ redisPort, library, id, receives }) {
    const { redisCluster } = await importComet('./redis')
    const [host, port] = ['127.0.0.1', redisPort]
    if (library === 'redis') {
      const client = await createClient({ socket: { host, port } }).connect()
      append = (args) => client.sendCommand(['XADD', ...args])
      cluster = redisCluster(client)
    } else {
      const client = new Redis({ host, port })
      append = (args) => client.call('XADD', args)
      cluster = redisCluster(client)
    }
    broker = cluster.broker.join({
      id,
      receives,
      deliver,
      namespace: 'bench',
      history: { age: 60_000, bytes: 16_777_216 },
      begin() {},
      restore() {},
      onStatus() {},
    })
    await broker.ready
  },

  /**
   * Publishes events with the numbers from `from` on. Without a rate: as many as there is room for.
   *
   * @param {{ from: number, count: number, rate?: number }} plan
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
  },

  /**
   * Appends entries without a broker, one for each event, to compare with. 500 are on their way at a time.
   *
   * @param {{ count: number }} plan
   */
  async append({ count }) {
    for (let sent = 0; sent < count; sent += 500) {
      const some = Array.from({ length: 500 }, (_, index) =>
        append(['bench', 'MAXLEN', '~', '10000', '*', 'd', textOf(sent + index)]),
      )
      await Promise.all(some)
    }
  },

  /** Forgets what was delivered, and awaits the events up to a number. @param {{ upTo: number }} request */
  async take({ upTo }) {
    latencies = []
    faults = []
    await new Promise((resolve) => {
      onDelivered = () => {
        if (next >= upTo) resolve(0)
      }
    })
    onDelivered = () => {}
    const sorted = Float64Array.from(latencies).sort()
    const at = (/** @type {number} */ share) => sorted[Math.floor(sorted.length * share)]
    return { faults: faults.slice(0, 5), p50: at(0.5), p99: at(0.99) }
  },

  /** Microseconds of processor time since the start of the process. */
  cpu() {
    const { user, system } = process.cpuUsage()
    return user + system
  },
})
