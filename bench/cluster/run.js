/**
 * Measures Comets on Redis, NATS and JetStream beside Socket.IO with its two Redis adapters: `node bench/cluster/run.js
 * [users-1k …] [--rounds 5] [--contenders comet,comet-nats] [--quick]`. With NATS, presence and commands are on Redis.
 *
 * Two processes, one Redis and one NATS, 300 clients, half of them on each process, and each process publishes to half of
 * the targets: so half of the events are for clients of the other process. Every client must get every event that is for
 * it, once and in order. The contenders take turns.
 */

import { parseArgs } from 'node:util'
import { ROOM_SIZE } from '../contenders/http.js'
import { Peer } from '../peer.js'
import { progress } from '../progress.js'
import { spreadText } from '../statistics.js'
import { contenders } from './contenders.js'
import { pick, startServers } from './servers.js'

const CLIENTS = 300
const NODES = 2

/**
 * `targets`: the users or rooms that are published to. `rate`: events a second of both processes together.
 *
 * @type {Record<string, { title: string, kind: 'users' | 'rooms', targets: number, rate: number, seconds: number }>}
 */
const WORKS = {
  'users-50k': {
    title: '50,000 user events/s, a tenth of the users connected',
    kind: 'users',
    targets: 3_000,
    rate: 50_000,
    seconds: 4,
  },
  'users-25k': {
    title: '25,000 user events/s, a tenth of the users connected',
    kind: 'users',
    targets: 3_000,
    rate: 25_000,
    seconds: 4,
  },
  'users-20k': {
    title: '20,000 user events/s, a tenth of the users connected',
    kind: 'users',
    targets: 3_000,
    rate: 20_000,
    seconds: 4,
  },
  'users-1k': {
    title: '1,000 user events/s, all users connected',
    kind: 'users',
    targets: CLIENTS,
    rate: 1_000,
    seconds: 6,
  },
  'rooms-500': {
    title: '500 room events/s, ten members each',
    kind: 'rooms',
    targets: CLIENTS / ROOM_SIZE,
    rate: 500,
    seconds: 6,
  },
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    contenders: { type: 'string' },
    quick: { type: 'boolean', default: false },
  },
})
const works = positionals.length > 0 ? positionals : Object.keys(WORKS)
const picked = pick(contenders, values.contenders)
const rounds = Number(values.rounds ?? (values.quick ? 1 : 5))

for (const name of works) {
  const work = WORKS[name]
  if (work === undefined) throw new Error(`There is no work ${name}: ${Object.keys(WORKS).join(', ')}.`)
  /** @type {Record<string, Figures[]>} */
  const results = Object.fromEntries(picked.map(([contender]) => [contender, []]))
  for (let round = 1; round <= rounds; round += 1) {
    for (const [contender, settings] of picked) {
      progress(`${work.title}, round ${round} of ${rounds}, ${contender}`)
      results[contender]?.push(await measure(contender, settings, work))
    }
  }
  progress()
  print(work.title, results)
}

/**
 * @typedef {object} Figures
 * @property {number} perCpu events published per second of processor time of all nodes
 * @property {number} servers microseconds of processor time an event, of Redis and NATS
 * @property {number} p50 milliseconds
 * @property {number} p99 milliseconds
 * @property {number} rate events published a second
 * @property {string[]} faults
 */

/**
 * @param {string} contender
 * @param {import('./contenders.js').ClusterContender} settings of the contender
 * @param {{ kind: 'users' | 'rooms', targets: number, rate: number, seconds: number }} work
 * @returns {Promise<Figures>}
 */
async function measure(contender, { client, servers: used }, { kind, targets, rate, seconds }) {
  const servers = await startServers(used)
  const nodes = Array.from({ length: NODES }, () => new Peer(new URL('node.js', import.meta.url)))
  const load = new Peer(new URL('../load.js', import.meta.url))
  try {
    const request = { contender, kind, ports: servers.ports }
    const ports = await Promise.all(nodes.map((node) => node.ask('start', request)))
    for (const [index, port] of ports.entries()) {
      const count = CLIENTS / NODES
      await load.ask('open', { contender: client, kind, port, count, from: index * count })
    }
    // Each adapter knows the other node only after a while.
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    const scale = values.quick ? 0.1 : 1
    const each = Math.max(1, Math.round((rate * seconds * scale) / targets))
    /** @param {number} from */
    const publish = async (from) => {
      await load.ask('expect', { first: from, each, deadline: 60_000 })
      const plans = nodes.map((node, first) =>
        node.ask('publish', { first, step: NODES, targets, each, from, rate: rate / NODES }),
      )
      const times = await Promise.all(plans)
      return { counts: await load.ask('counts'), time: Math.max(...times) }
    }
    await publish(0)
    const before = [await Promise.all(nodes.map((node) => node.ask('cpu'))), await servers.cpu()]
    const { counts, time } = await publish(each)
    const after = [await Promise.all(nodes.map((node) => node.ask('cpu'))), await servers.cpu()]
    const events = each * targets
    const cpu = sum(after[0]) - sum(before[0])
    return {
      perCpu: events / (cpu / 1e6),
      servers: (Number(after[1]) - Number(before[1])) / events,
      p50: counts.latency.p50,
      p99: counts.latency.p99,
      rate: events / time,
      faults: counts.faults,
    }
  } finally {
    await Promise.all([...nodes, load].map((peer) => peer.end()))
    await servers.stop()
  }
}

/** @param {any} values */
function sum(values) {
  return values.reduce((/** @type {number} */ all, /** @type {number} */ value) => all + value, 0)
}

/** @param {string} title @param {Record<string, Figures[]>} results */
function print(title, results) {
  console.log(`\n${title}`)
  /** @param {Figures[]} runs @param {keyof Omit<Figures, 'faults'>} key @param {number} digits */
  const shown = (runs, key, digits) =>
    spreadText(
      runs.map((run) => run[key]),
      digits,
    )
  const base = results.comet
  for (const [name, runs] of Object.entries(results)) {
    const parts = [
      `${shown(runs, 'perCpu', 0)} events/cpu-s`,
      `servers ${shown(runs, 'servers', 2)} µs`,
      `p50 ${shown(runs, 'p50', 1)} ms`,
      `p99 ${shown(runs, 'p99', 1)} ms`,
      `${shown(runs, 'rate', 0)} events/s`,
    ]
    if (base !== undefined && base !== runs) {
      const ratios = runs.map((run, round) => (base[round]?.perCpu ?? Number.NaN) / run.perCpu)
      parts.push(`Comet ÷ it ${spreadText(ratios, 2)}`)
    }
    console.log(`  ${(contenders[name]?.title ?? name).padEnd(34)} ${parts.join(' · ')}`)
    const faults = new Set(runs.flatMap((run) => run.faults))
    for (const fault of faults) console.log(`    FAULT: ${fault}`)
    if (faults.size > 0) process.exitCode = 1
  }
}
