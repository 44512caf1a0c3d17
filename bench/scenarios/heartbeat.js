import { setTimeout as sleep } from 'node:timers/promises'
import { Stand } from '../stand.js'

/** Each contender's default time between two heartbeats of a session, in milliseconds. */
const INTERVALS = new Map([
  ['comet-express', 15_000],
  ['comet-koa', 15_000],
  ['better-sse', 10_000],
  ['fastify-sse', 30_000],
  ['floor', 15_000],
])

/** How long a server needs until its processor time is steady, in milliseconds. */
const SETTLE_MS = 40_000

/** The time between two heartbeats in slices, and the length of a slice, in milliseconds. */
const SHORT_MS = 1_000

/** @type {import('../types.js').Scenario} */
export const heartbeat = {
  title: 'Sessions to which nothing is published',
  sizes: [10_000],
  contenders: Array.from(INTERVALS.keys()),
  figures: {
    beat: { title: 'a heartbeat µs', digits: 1 },
    core: { title: '% of a core', digits: 2 },
  },
  run: (contender, clients, { quick }) =>
    Stand.with(contender, 'fanout', async (stand) => {
      const interval = INTERVALS.get(contender) ?? Number.NaN
      await stand.open(clients)
      const time = quick ? 1_000 : 2 * interval
      // At first V8 collects the garbage of the connects, and optimizes what heartbeats run.
      await sleep(quick ? 0 : SETTLE_MS)
      const cost = await stand.cost(() => sleep(time))
      return { beat: cost / (clients * (time / interval)), core: (cost / 1e6 / (time / 1_000)) * 100 }
    }),
  pair: {
    kind: 'fanout',
    clients: 3_000,
    options: { heartbeatInterval: SHORT_MS },
    figures: { beat: 'a heartbeat' },
    prepare: (stand, clients) => stand.open(clients),
    slices: [
      {
        async run(stand, clients) {
          const { cpu, reads } = await stand.idle(SHORT_MS)
          if (reads < clients / 2) stand.faults.push(`only ${reads} heartbeats of about ${clients}`)
          return { beat: cpu / reads }
        },
        warmUps: 3,
        seconds: 10,
      },
    ],
    // Both servers send heartbeats all the time, so taking turns would only take longer.
    together: true,
  },
}
