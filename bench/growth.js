import { mkdirSync, writeFileSync } from 'node:fs'
import { importComet } from './comet-package.js'
import { markdown, spreadOf } from './report.js'

const SIZES = [1_000, 10_000, 100_000]

/** How many operations are timed together. Each takes another user, so that its data is not yet in the processor's caches. */
const BATCH = 500

/** @typedef {(batch: number[]) => unknown} Operation runs once for each number, which names a user, room or entry */

/** A client that is never slow and stores nothing. */
class Transport {
  closed = false
  /** @type {import('comet-sse').TransportListener | undefined} */
  #listener

  /** @param {import('comet-sse').TransportListener} listener */
  listen(listener) {
    this.#listener = listener
  }

  open() {
    return true
  }

  write() {
    return true
  }

  end() {
    this.destroy()
  }

  destroy() {
    if (this.closed) return
    this.closed = true
    this.#listener?.onClose()
  }
}

/** @param {number} size @returns {Promise<Record<string, Operation>>} operations on a Comet with that many sessions */
async function cometOf(size) {
  const { Comet } = await importComet('.')
  const comet = new Comet({ heartbeatInterval: 0, maxConnectionAge: 0, historyEvents: 10, offlineGrace: 0 })
  /** @param {number} number */
  const come = async (number) => {
    const transport = new Transport()
    const identity = { uid: `user-${number}`, rooms: [`room-${number}`] }
    await comet.connect({ identity, transport })
    return transport
  }
  for (let number = 0; number < size; number += 1) await come(number)
  const sids = comet.dump().sessions.map(({ sid }) => sid)
  /** @type {Transport[]} */
  let guests = []
  return {
    'Comet: publish to a user': (batch) => {
      for (const number of batch) comet.publish({ uid: `user-${number}`, evt: 'hi' })
    },
    'Comet: publish to a room': (batch) => {
      for (const number of batch) comet.publish({ rid: `room-${number}`, evt: 'hi' })
    },
    'Comet: enter': (batch) =>
      Promise.all(batch.map((number) => comet.enter({ sid: sids[number] ?? '' }, `room-${number + 1}`))),
    'Comet: leave': (batch) =>
      Promise.all(batch.map((number) => comet.leave({ sid: sids[number] ?? '' }, `room-${number + 1}`))),
    'Comet: connect': async (batch) => {
      guests = await Promise.all(batch.map((number) => come(size + number)))
    },
    'Comet: disconnect': () => {
      for (const guest of guests) guest.destroy()
    },
  }
}

/** @param {number} size @returns {Record<string, Operation>} operations on a Map with that many entries */
function mapOf(size) {
  const map = new Map(Array.from({ length: size }, (_, number) => [`user-${number}`, { number }]))
  let found = 0
  return {
    'a Map: get': (batch) => {
      for (const number of batch) found += map.get(`user-${number}`)?.number ?? 0
      if (found < 0) throw new Error('unreachable, but the compiler cannot know')
    },
    'a Map: set': (batch) => {
      for (const number of batch) map.set(`user-${size + number}`, { number })
    },
    'a Map: delete': (batch) => {
      for (const number of batch) map.delete(`user-${size + number}`)
    },
  }
}

/** Distinct random numbers below a limit. @param {number} count @param {number} limit */
function numbersBelow(count, limit) {
  const numbers = new Set()
  while (numbers.size < count) numbers.add(Math.floor(Math.random() * limit))
  return /** @type {number[]} */ (Array.from(numbers))
}

/**
 * Times operations of a Comet on one user, session or room, and operations of a Map, by how many sessions or entries
 * there are. Every round times all sizes.
 *
 * @param {{ quick: boolean, rounds: number, results: URL | undefined }} options `results` is the folder for the figures
 */
export async function growth({ quick, rounds, results }) {
  const sizes = quick ? SIZES.slice(0, 1) : SIZES
  /** @type {{ size: number, operations: Record<string, Operation> }[]} */
  const subjects = []
  for (const size of sizes) {
    subjects.push({ size, operations: { ...(await cometOf(size)), ...mapOf(size) } })
  }
  /** Microseconds by operation and size. @type {Record<string, Record<number, number[]>>} */
  const times = {}
  // A round takes milliseconds, so there are many. As many come before round 0 and do not count: they warm V8 up.
  const all = quick ? 2 : rounds * 20
  for (let round = -all; round < all; round += 1) {
    for (const { size, operations } of subjects) {
      const batch = numbersBelow(BATCH, size)
      for (const [name, operation] of Object.entries(operations)) {
        const start = performance.now()
        await operation(batch)
        // Comet writes published events in the next turn of the event loop. The time includes that.
        if (name.includes('publish')) await new Promise(setImmediate)
        const time = ((performance.now() - start) / BATCH) * 1_000
        times[name] ??= {}
        times[name][size] ??= []
        if (round >= 0) times[name][size].push(time)
      }
    }
  }
  const summary = Object.fromEntries(
    Object.entries(times).map(([name, bySize]) => [
      name,
      Object.fromEntries(Object.entries(bySize).map(([size, values]) => [size, spreadOf(values)])),
    ]),
  )
  console.log(`\n## What one operation takes, by how many sessions and rooms there are, in µs\n`)
  console.log(table(sizes, summary))
  if (results === undefined) return
  mkdirSync(results, { recursive: true })
  writeFileSync(new URL('growth.json', results), `${JSON.stringify(summary, null, 2)}\n`)
}

/** @param {number[]} sizes @param {Record<string, Record<string, import('./report.js').Spread>>} summary */
function table(sizes, summary) {
  const head = ['', ...sizes.map((size) => size.toLocaleString('en')), 'the last ÷ the first']
  const rows = Object.entries(summary).map(([name, bySize]) => {
    const medians = sizes.map((size) => bySize[size]?.median ?? Number.NaN)
    const factor = /** @type {number} */ (medians.at(-1)) / /** @type {number} */ (medians[0])
    return [name, ...medians.map((median) => median.toFixed(2)), `×${factor.toFixed(1)}`]
  })
  return markdown(head, rows)
}
