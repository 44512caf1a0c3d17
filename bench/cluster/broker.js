/**
 * Measures the broker on Redis by itself: `node bench/cluster/broker.js`. One process publishes, two read, each event has
 * 150 bytes of data. First as many events as there is room for, and then 1,000 a second.
 */

import { parseArgs } from 'node:util'
import { Peer } from '../peer.js'
import { progress } from '../progress.js'
import { medianOf } from '../statistics.js'
import { startRedis } from './redis-server.js'

const READERS = 2

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, quick: { type: 'boolean', default: false } },
})
const rounds = values.quick ? 1 : Number(values.rounds)
const scale = values.quick ? 0.1 : 1

/** @type {Record<string, { count: number, rate?: number }>} */
const WORKS = {
  'as many as there is room for': { count: 1_000_000 * scale },
  '1,000 a second': { count: 6_000 * scale, rate: 1_000 },
}

/** What is measured to compare with: it depends on the machine what a step of the network costs. */
const FLOOR = 'one XADD for each event, without readers'

for (const library of /** @type {const} */ (['redis', 'ioredis'])) {
  /** @type {Record<string, Record<string, number[]>>} */
  const results = {}
  for (let round = 1; round <= rounds; round += 1) {
    progress(`${library}, round ${round} of ${rounds}`)
    await measure(library, results)
  }
  progress()
  console.log(`\nThe broker, with ${library}`)
  for (const [title, figures] of Object.entries(results)) {
    const texts = Object.entries(figures).map(([name, all]) => {
      const digits = (all[0] ?? 0) < 100 ? 2 : 0
      const shown = (/** @type {number} */ value) => value.toFixed(digits)
      return `${name} ${shown(medianOf(all))} (${shown(Math.min(...all))}–${shown(Math.max(...all))})`
    })
    console.log(`  ${title}: ${texts.join(' · ')}`)
  }
}

/** @param {string} library @param {Record<string, Record<string, number[]>>} results */
async function measure(library, results) {
  /** @param {string} title @param {string} name @param {number} value */
  const note = (title, name, value) => {
    const figures = results[title] ?? {}
    results[title] = figures
    figures[name] = [...(figures[name] ?? []), value]
  }
  const redis = await startRedis()
  const file = new URL('broker-node.js', import.meta.url)
  const publisher = new Peer(file)
  const readers = Array.from({ length: READERS }, () => new Peer(file))
  const peers = [publisher, ...readers]
  try {
    for (const [index, peer] of peers.entries()) {
      await peer.ask('start', {
        library,
        redisPort: redis.port,
        id: `node-${index}`,
        receives: peer !== publisher,
      })
    }
    let from = 0
    /** @param {{ count: number, rate?: number }} work */
    const publish = async ({ count, rate }) => {
      const taken = Promise.all(readers.map((reader) => reader.ask('take', { upTo: from + count })))
      await publisher.ask('publish', { from, count, rate })
      from += count
      return await taken
    }
    const floor = 100_000 * scale
    const atFirst = [await publisher.ask('cpu'), await redis.cpu()]
    await publisher.ask('append', { count: floor })
    const atLast = [await publisher.ask('cpu'), await redis.cpu()]
    note(FLOOR, 'publisher µs', (atLast[0] - atFirst[0]) / floor)
    note(FLOOR, 'Redis µs', (atLast[1] - atFirst[1]) / floor)
    for (const [title, work] of Object.entries(WORKS)) {
      await publish({ ...work, count: Math.ceil(work.count / 5) })
      const before = [...(await Promise.all(peers.map((peer) => peer.ask('cpu')))), await redis.cpu()]
      const start = performance.now()
      const taken = await publish(work)
      const seconds = (performance.now() - start) / 1_000
      const after = [...(await Promise.all(peers.map((peer) => peer.ask('cpu')))), await redis.cpu()]
      const [published = 0, first = 0, second = 0, stored = 0] = after.map(
        (value, at) => (value - before[at]) / work.count,
      )
      const figures = {
        'events/s': work.count / seconds,
        'publisher µs': published,
        'Redis µs': stored,
        'reader µs': (first + second) / 2,
        'p50 ms': Math.max(...taken.map(({ p50 }) => p50)),
        'p99 ms': Math.max(...taken.map(({ p99 }) => p99)),
      }
      for (const [name, value] of Object.entries(figures)) note(title, name, value)
      for (const fault of taken.flatMap(({ faults }) => faults)) {
        console.log(`  FAULT: ${fault}`)
        process.exitCode = 1
      }
    }
  } finally {
    await Promise.all(peers.map((peer) => peer.end()))
    await redis.stop()
  }
}
