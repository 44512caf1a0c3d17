import { Stand } from '../stand.js'

/** What a browser that comes back has missed. */
const MISSED = 20

/** @type {import('../types.js').Scenario} */
export const connect = {
  title: 'Clients that come and go',
  sizes: [2_000],
  figures: {
    connect: { title: 'connect µs', digits: 0 },
    disconnect: { title: 'disconnect µs', digits: 0 },
    resume: { title: `reconnect with ${MISSED} events missed µs`, digits: 0 },
  },
  run: (contender, clients, { quick }) =>
    Stand.with(contender, 'fanout', async (stand) => {
      // What the first thousands cost is what the compiler still learns.
      for (let round = 0; round < (quick ? 0 : 2); round += 1) {
        await stand.open(clients)
        await stand.close()
      }
      const came = await stand.cost(() => stand.open(clients))
      const went = await stand.cost(() => stand.close())
      const position = await stand.position()
      /** @type {Record<string, number>} */
      const figures = { connect: came / clients, disconnect: went / clients }
      if (position) {
        await stand.deliver({ turns: MISSED, burst: 1, interval: 5 })
        const query = `&lastEventId=${position}`
        figures.resume = (await stand.cost(() => stand.open(clients, { query }))) / clients
      }
      return figures
    }),
}
