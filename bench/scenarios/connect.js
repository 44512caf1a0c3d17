import { Stand } from '../stand.js'

/** What a browser that comes back has missed. */
const MISSED = 20

/** How often all come and go before it counts: what the first ten thousand cost is what the compiler still learns. */
const WARM_UPS = 5

/** How often all come and go. */
const TIMES = 12

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
      for (let time = 0; time < (quick ? 0 : WARM_UPS); time += 1) {
        await stand.open(clients)
        await stand.close()
      }
      const times = quick ? 1 : TIMES
      let [came, went] = [0, 0]
      for (let time = 0; time < times; time += 1) {
        came += await stand.cost(() => stand.open(clients))
        went += await stand.cost(() => stand.close())
      }
      const position = await stand.position()
      /** @type {Record<string, number>} */
      const figures = { connect: came / clients / times, disconnect: went / clients / times }
      if (position) {
        await stand.deliver({ turns: MISSED, burst: 1, interval: 5 })
        const query = `&lastEventId=${position}`
        figures.resume = (await stand.cost(() => stand.open(clients, { query }))) / clients
      }
      return figures
    }),
}
