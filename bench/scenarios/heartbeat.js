import { setTimeout as sleep } from 'node:timers/promises'
import { Stand } from '../stand.js'

/** Milliseconds from one heartbeat of a session to the next, by default. */
const INTERVALS = new Map([
  ['comet-express', 15_000],
  ['comet-koa', 15_000],
  ['better-sse', 10_000],
  ['fastify-sse', 30_000],
  ['floor', 15_000],
])

/** How long it takes until nothing is done any more but what is done all the time. */
const SETTLE_MS = 40_000

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
      // The first heartbeats come as the sessions came, and V8 tidies up after them.
      await sleep(quick ? 0 : SETTLE_MS)
      const cost = await stand.cost(() => sleep(time))
      return { beat: cost / (clients * (time / interval)), core: (cost / 1e6 / (time / 1_000)) * 100 }
    }),
}
