import { ROOM_SIZE } from '../contenders/http.js'
import { Stand } from '../stand.js'

/** How many times each target is published to. */
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

/** @param {import('../types.js').Kind} kind @param {number} perTarget how many clients a target has */
const run =
  (kind, perTarget) =>
  /** @type {import('../types.js').Scenario['run']} */
  (contender, clients, { quick }) =>
    Stand.with(contender, kind, async (stand) => {
      const targets = clients / perTarget
      await stand.open(clients)
      const burst = targets / 100
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
}

/** @type {import('../types.js').Scenario} */
export const rooms = {
  title: 'An event to a room of ten',
  sizes: [10_000],
  contenders,
  figures,
  run: run('rooms', ROOM_SIZE),
}
