import { Stand } from '../stand.js'

/** The events that a client has missed when it reconnects. */
const MISSED = 20

/** How often all clients connect and disconnect before it counts. V8 still optimizes during the first 10,000 connects. */
const WARM_UPS = 5

/** How often all clients connect and disconnect while it counts. */
const TIMES = 12

/** Connects all clients and disconnects them. @param {Stand} stand @param {number} clients */
async function comeAndGo(stand, clients) {
  const connect = await stand.cost(() => stand.open(clients))
  const disconnect = await stand.cost(() => stand.close())
  return { connect: connect / clients, disconnect: disconnect / clients }
}

/**
 * Publishes while no client is connected, and reconnects all clients.
 *
 * @param {Stand} stand @param {number} clients @param {string} position of the last event that the clients have got
 */
async function resume(stand, clients, position) {
  await stand.deliver({ turns: 1, burst: MISSED, interval: 1, settle: 1 })
  return (await stand.resume(clients, position, MISSED)) / clients
}

/** @type {import('../types.js').Scenario} */
export const connect = {
  title: 'Clients that connect and disconnect',
  sizes: [2_000],
  figures: {
    connect: { title: 'connect µs', digits: 0 },
    disconnect: { title: 'disconnect µs', digits: 0 },
    resume: { title: `reconnect with ${MISSED} events missed µs`, digits: 0 },
  },
  run: (contender, clients, { quick }) =>
    Stand.with(contender, 'fanout', async (stand) => {
      for (let time = 0; time < (quick ? 0 : WARM_UPS); time += 1) await comeAndGo(stand, clients)
      const times = quick ? 1 : TIMES
      /** @type {{ connect: number, disconnect: number, resume?: number }} */
      const figures = { connect: 0, disconnect: 0 }
      for (let time = 0; time < times; time += 1) {
        const { connect, disconnect } = await comeAndGo(stand, clients)
        figures.connect += connect / times
        figures.disconnect += disconnect / times
      }
      const position = await stand.position()
      if (position) figures.resume = await resume(stand, clients, position)
      return figures
    }),
  pair: {
    kind: 'fanout',
    clients: 300,
    figures: {
      connect: 'connect',
      disconnect: 'disconnect',
      resume: `reconnect with ${MISSED} events missed`,
    },
    prepare: async () => {},
    slices: [
      {
        async run(stand, clients) {
          const figures = await comeAndGo(stand, clients)
          const cost = await resume(stand, clients, await stand.position())
          await stand.close()
          return { ...figures, resume: cost }
        },
        warmUps: 15,
        seconds: 26,
      },
    ],
  },
}
