import { setTimeout as sleep } from 'node:timers/promises'
import { Stand } from '../stand.js'

/** Turns of one event and turns of 20, by the number of clients. All plans make about as many deliveries a second. */
const PLANS = new Map([
  [100, { single: { turns: 1_000, interval: 5 }, burst: { turns: 200, interval: 20 } }],
  [1_000, { single: { turns: 200, interval: 20 }, burst: { turns: 20, interval: 200 } }],
  [10_000, { single: { turns: 50, interval: 100 }, burst: { turns: 4, interval: 2_000 } }],
])

/** How many bursts are published before memory is measured again. */
const BURSTS = 10

/** @type {import('../types.js').Scenario} */
export const fanout = {
  title: 'An event to all clients',
  sizes: [100, 1_000, 10_000],
  figures: {
    single: { title: 'one event a tick, k/cpu-s', digits: 1 },
    p50: { title: 'p50 ms', digits: 1 },
    p99: { title: 'p99 ms', digits: 1 },
    max: { title: 'max ms', digits: 1 },
    stall: { title: 'longest stall ms', digits: 1 },
    burst: { title: '20 events a tick, k/cpu-s', digits: 0 },
    burstP99: { title: 'p99 ms', digits: 1 },
    idle: { title: 'RSS a session kB', digits: 1 },
    heap: { title: 'of it JS heap kB', digits: 1 },
    after: { title: 'RSS after bursts, of before', digits: 2 },
    connect: { title: 'first connects k/cpu-s', digits: 1 },
  },
  run: (contender, clients, { quick }) =>
    Stand.with(contender, 'fanout', async (stand) => {
      const { single, burst } = PLANS.get(clients) ?? raise(`no plan for ${clients} clients`)
      const part = quick ? 0.1 : 1
      const empty = await stand.usage()
      const connect = await stand.cost(() => stand.open(clients))
      await sleep(quick ? 100 : 1_000)
      const idle = await stand.usage()
      const alone = await stand.deliver({ burst: 1, ...single, turns: Math.ceil(single.turns * part) })
      const many = await stand.deliver({ burst: 20, ...burst, turns: Math.ceil(burst.turns * part) })
      const before = await stand.usage()
      if (!quick) await stand.deliver({ burst: 20, turns: BURSTS, interval: burst.interval })
      const after = await stand.usage()
      const { p50, p99, max, stall } = alone
      return {
        single: alone.rate / 1_000,
        ...{ p50, p99, max, stall },
        burst: many.rate / 1_000,
        burstP99: many.p99,
        idle: (idle.rss - empty.rss) / clients / 1_000,
        heap: (idle.heap - empty.heap) / clients / 1_000,
        after: after.rss / before.rss,
        connect: clients / (connect / 1e6) / 1_000,
      }
    }),
  pair: {
    kind: 'fanout',
    clients: 1_000,
    figures: { single: 'one event a tick', burst: '20 events a tick' },
    prepare: (stand, clients) => stand.open(clients),
    slices: [
      {
        async run(stand) {
          return { single: (await stand.deliver({ turns: 2, burst: 1, interval: 15, settle: 1 })).each }
        },
        warmUps: 20,
        seconds: 6,
      },
      {
        async run(stand) {
          return { burst: (await stand.deliver({ turns: 1, burst: 20, interval: 15, settle: 1 })).each }
        },
        warmUps: 20,
        seconds: 5,
      },
    ],
  },
}

/** @param {string} message @returns {never} */
function raise(message) {
  throw new Error(message)
}
