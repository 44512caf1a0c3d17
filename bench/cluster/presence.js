/**
 * Measures what presence costs Redis: `node bench/cluster/presence.js`. Its processor time for a step, one at a time and
 * many at the same time, and when a node dies; its memory for a user.
 */

import { parseArgs } from 'node:util'
import { importComet } from '../comet-package.js'
import { Peer } from '../peer.js'
import { progress } from '../progress.js'
import { medianOf, spreadText } from '../statistics.js'
import { startRedis } from './redis-server.js'

const { UserActivityEvent } = await importComet('.')
const { ENTER_ROOM, OFFLINE } = UserActivityEvent.Type

/** How many steps a node makes at the same time. */
const BATCH = 200

const GRACE_MS = 5_000

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, quick: { type: 'boolean', default: false } },
})
const rounds = values.quick ? 1 : Number(values.rounds)
const scale = values.quick ? 0.1 : 1

/** @type {Record<string, number[]>} */
const figures = {}
/** @param {string} name @param {number} value */
const note = (name, value) => {
  const all = figures[name] ?? []
  figures[name] = all
  all.push(value)
}

for (let round = 1; round <= rounds; round += 1) {
  progress(`round ${round} of ${rounds}, steps`)
  await measureSteps()
  progress(`round ${round} of ${rounds}, memory`)
  await measureMemory(2)
  await measureMemory(0)
  progress(`round ${round} of ${rounds}, a node that dies`)
  await measureDeath()
}
progress()
for (const [name, all] of Object.entries(figures)) {
  console.log(`${name.padEnd(58)} ${spreadText(all, medianOf(all) < 100 ? 1 : 0)}`)
}

/** @typedef {Awaited<ReturnType<typeof startRedis>>} RedisProcess */

/**
 * @param {Record<string, number>} leases the nodes, each with its lease in milliseconds
 * @param {(redis: RedisProcess, nodes: Record<string, Peer>) => Promise<void>} run
 */
async function withNodes(leases, run) {
  const redis = await startRedis()
  /** @type {Record<string, Peer>} */
  const nodes = {}
  try {
    for (const [id, lease] of Object.entries(leases)) {
      const node = new Peer(new URL('presence-node.js', import.meta.url))
      nodes[id] = node
      await node.ask('start', { id, lease, redisPort: redis.port, grace: GRACE_MS })
    }
    await run(redis, nodes)
  } finally {
    await Promise.all(Object.values(nodes).map((node) => node.end()))
    await redis.stop()
  }
}

async function measureSteps() {
  await withNodes({ a: 10_000 }, async (redis, nodes) => {
    const a = /** @type {Peer} */ (nodes.a)
    /** @param {string} name @param {string} step @param {{ from: number, count: number } & Record<string, number>} plan */
    const measure = async (name, step, plan) => {
      const before = await redis.cpu()
      await a.ask(step, plan)
      note(`Redis µs: ${name}`, ((await redis.cpu()) - before) / plan.count)
    }
    const count = 10_000 * scale
    // Redis must have what most keys and scripts take at first.
    await a.ask('connect', { from: 0, count, batch: BATCH, rooms: 2 })
    // To compare with: it depends on the machine what a step of the network costs.
    await measure('SET, alone', 'set', { from: 0, count: count / 5, batch: 1 })
    await measure('a script that asks the time, alone', 'evaluate', { from: 0, count: count / 5, batch: 1 })
    await measure('SET, in batches', 'set', { from: 0, count, batch: BATCH })
    const few = { from: count, count: count / 5, batch: 1, rooms: 2 }
    await measure('connect with two rooms, alone', 'connect', few)
    const many = { from: 2 * count, count, batch: BATCH, rooms: 2 }
    await measure('connect with two rooms, in batches', 'connect', many)
    await measure('takeover with two rooms, in batches', 'takeOver', many)
    await measure('disconnect with a grace, in batches', 'disconnect', { ...many, grace: 600_000 })
  })
}

/** @param {number} rooms of each user */
async function measureMemory(rooms) {
  await withNodes({ a: 10_000 }, async (redis, nodes) => {
    const a = /** @type {Peer} */ (nodes.a)
    await a.ask('connect', { from: 0, count: BATCH, batch: BATCH, rooms })
    const before = [await redis.memory(), await redis.memoryOf('comet:{bench}:activity')]
    const count = 30_000 * scale
    await a.ask('connect', { from: 1_000, count, batch: BATCH, rooms })
    const after = [await redis.memory(), await redis.memoryOf('comet:{bench}:activity')]
    const [all = 0, record = 0] = after.map((value, at) => (value - Number(before[at])) / count)
    note(`bytes: a user with ${rooms} rooms, without the record`, all - record)
    note(`bytes: the record of its connect, with ${rooms} rooms`, record)
  })
}

async function measureDeath() {
  const count = 10_000 * scale
  await withNodes({ a: 1_000, b: 30_000 }, async (redis, nodes) => {
    const [a, b] = [/** @type {Peer} */ (nodes.a), /** @type {Peer} */ (nodes.b)]
    await a.ask('connect', { from: 0, count, batch: BATCH, rooms: 2 })
    await a.ask('told', { type: ENTER_ROOM, count: 2 * count })
    await a.end()
    const before = await redis.cpu()
    const start = performance.now()
    await b.ask('told', { type: OFFLINE, count })
    note('Redis µs: a user of a node that has died', ((await redis.cpu()) - before) / count)
    note('s: until all of them are OFFLINE, with a grace of 5 s', (performance.now() - start) / 1_000)
  })
}
