/**
 * Measures the brokers by themselves: `node bench/cluster/broker.js [--rounds 5] [--contenders redis,nats] [--quick]`. One
 * process publishes, two read, each event has 150 bytes of data. First as many events as there is room for, and then 1,000
 * a second. Every reader must get every event, once and in order. The contenders take turns.
 */

import { parseArgs } from 'node:util'
import { Peer } from '../peer.js'
import { progress } from '../progress.js'
import { spreadText } from '../statistics.js'
import { brokers } from './brokers.js'
import { pick, startServers } from './servers.js'

const READERS = 2

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    contenders: { type: 'string' },
    quick: { type: 'boolean', default: false },
  },
})
const rounds = values.quick ? 1 : Number(values.rounds)
const scale = values.quick ? 0.1 : 1

/** @type {Record<string, { count: number, rate?: number }>} */
const WORKS = {
  'As many events as there is room for': { count: 300_000 * scale },
  '1,000 events a second': { count: 6_000 * scale, rate: 1_000 },
}

/** What is measured to compare with: it depends on the machine what a step of the network costs. */
const FLOOR = 'One message of the client alone for each event, without readers'
const FLOOR_COUNT = 100_000 * scale

/** The values of each round, by work, contender and figure. @type {Record<string, Record<string, Record<string, number[]>>>} */
const results = {}
const contenders = pick(brokers, values.contenders)
for (let round = 1; round <= rounds; round += 1) {
  for (const [name, contender] of contenders) {
    progress(`round ${round} of ${rounds}, ${name}`)
    await measure(name, contender)
  }
}
progress()
for (const [work, byContender] of Object.entries(results)) {
  console.log(`\n${work}`)
  for (const [title, figures] of Object.entries(byContender)) {
    const texts = Object.entries(figures).map(
      ([name, all]) => `${name} ${spreadText(all, (all[0] ?? 0) < 100 ? 2 : 0)}`,
    )
    console.log(`  ${title.padEnd(22)} ${texts.join(' · ')}`)
  }
}

/** @param {string} work @param {string} title @param {Record<string, number>} figures */
function note(work, title, figures) {
  results[work] ??= {}
  results[work][title] ??= {}
  const all = results[work][title]
  for (const [name, value] of Object.entries(figures)) all[name] = [...(all[name] ?? []), value]
}

/** @param {string} contender @param {import('./brokers.js').BrokerContender} broker */
async function measure(contender, { title, servers: names }) {
  const servers = await startServers(names)
  const [publisher, ...readers] = /** @type {[Peer, ...Peer[]]} */ (
    Array.from({ length: 1 + READERS }, () => new Peer(new URL('broker-node.js', import.meta.url)))
  )
  const peers = [publisher, ...readers]
  /** Runs something. @param {() => Promise<any>} run @returns its result, and the processor time in µs */
  const timed = async (run) => {
    const all = () => Promise.all([servers.cpu(), ...peers.map((peer) => peer.ask('cpu'))])
    const before = await all()
    const result = await run()
    const [server = 0, published = 0, ...read] = (await all()).map((time, at) => time - before[at])
    return { result, server, published, read: read.reduce((sum, time) => sum + time, 0) / READERS }
  }
  try {
    // Readers first: JetStream has no stream for a process that only publishes until one has come.
    for (const peer of peers.toReversed()) {
      await peer.ask('start', {
        contender,
        ports: servers.ports,
        id: `node-${peers.indexOf(peer)}`,
        receives: peer !== publisher,
      })
    }
    const floor = await timed(() => publisher.ask('append', { count: FLOOR_COUNT }))
    note(FLOOR, title, {
      'publisher µs': floor.published / FLOOR_COUNT,
      'server µs': floor.server / FLOOR_COUNT,
    })
    let from = 0
    /** @param {{ count: number, rate?: number }} work */
    const publish = async ({ count, rate }) => {
      const start = performance.now()
      const taking = Promise.all(readers.map((reader) => reader.ask('take', { upTo: from + count })))
      const acknowledged = await publisher.ask('publish', { from, count, rate })
      from += count
      return { acknowledged, taken: await taking, delivered: (performance.now() - start) / 1_000 }
    }
    for (const [name, work] of Object.entries(WORKS)) {
      await publish({ ...work, count: Math.ceil(work.count / 5) })
      const { result, server, published, read } = await timed(() => publish(work))
      /** @type {{ p50: number, p99: number, faults: string[] }[]} */
      const taken = result.taken
      note(name, title, {
        'events/server-cpu-s': work.count / (server / 1e6),
        'server µs': server / work.count,
        'publisher µs': published / work.count,
        'reader µs': read / work.count,
        'acknowledged/s': work.count / result.acknowledged,
        'delivered/s': work.count / result.delivered,
        'p50 ms': Math.max(...taken.map(({ p50 }) => p50)),
        'p99 ms': Math.max(...taken.map(({ p99 }) => p99)),
      })
      for (const fault of taken.flatMap(({ faults }) => faults)) {
        console.log(`  FAULT: ${title}: ${fault}`)
        process.exitCode = 1
      }
    }
  } finally {
    await Promise.all(peers.map((peer) => peer.end()))
    await servers.stop()
  }
}
