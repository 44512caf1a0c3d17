import { ROOM_SIZE } from '../contenders/http.js'
import { Stand } from '../stand.js'

/** How many texts each target gets. */
const TIMES = 3

const figures = {
  rate: { title: 'k deliveries/cpu-s', digits: 1 },
  p50: { title: 'p50 ms', digits: 1 },
  p99: { title: 'p99 ms', digits: 1 },
}

const contenders = [
  ...['comet-express', 'comet-koa', 'bare-node', 'bare-express', 'better-sse'],
  ...['transmit', 'fastify-sse', 'socket.io', 'ws', 'nchan'],
]

/** @param {import('../types.js').Kind} kind @param {number} perTarget the clients of each user or room */
const run =
  (kind, perTarget) =>
  /** @type {import('../types.js').Scenario['run']} */
  (contender, clients, { quick }) =>
    Stand.with(contender, kind, async (stand) => {
      const targets = clients / perTarget
      await stand.open(clients)
      const burst = targets / 100
      // As in an app that runs for long: each target has got something before, and the garbage of so many connects at
      // once is gone.
      await stand.deliver({ turns: 100, burst, interval: 10, targets })
      await stand.collect()
      const times = quick ? 1 : TIMES
      const { rate, p50, p99 } = await stand.deliver({ turns: 100 * times, burst, interval: 10, targets })
      return { rate: rate / 1_000, p50, p99 }
    })

/** @type {import('../types.js').Scenario} */
export const users = {
  title: 'An event to one user of many',
  sizes: [10_000],
  contenders,
  figures,
  run: run('users', 1),
  pair: {
    kind: 'users',
    clients: 5_000,
    figures: { rate: 'one user of many' },
    prepare: (stand, clients) => stand.open(clients),
    slices: [
      {
        async run(stand, clients) {
          const plan = { turns: 50, burst: clients / 50, interval: 3, settle: 1 }
          return { rate: (await stand.deliver({ ...plan, targets: clients })).each }
        },
        warmUps: 5,
        seconds: 11,
      },
    ],
  },
}

/** @type {import('../types.js').Scenario} */
export const rooms = {
  title: 'An event to a room of ten',
  sizes: [10_000],
  contenders,
  figures,
  run: run('rooms', ROOM_SIZE),
}
