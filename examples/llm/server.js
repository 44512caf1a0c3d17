/** @import { AddressInfo } from 'node:net' */
/** @import { Request } from 'express' */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Comet } from 'comet-sse'
import { cometExpress } from 'comet-sse/express'
import express from 'express'

const { PORT = '3000', HOST = '127.0.0.1', TOKENS = '300', RATE = '20' } = process.env
const app = express()

/** How long an event is stored, and for how long after its end an answer may be followed, in milliseconds. */
const STORED_MS = 300_000

/** @typedef {{ uid: string, controller: AbortController }} Run */
/** The runs by their ids. A run is one answer. @type {Map<string, Run>} */
const runs = new Map()

/** @type {Comet<{ token: { index: number, text: string } }>} */
const comet = new Comet({
  // The room of a run has its id. Only the user that started the run may enter the room.
  canEnter: ({ uid, rid }) => runs.get(rid)?.uid === uid,
  // By default 1,000 events of a room are stored. An answer may have more.
  keepHistory: ({ rid }) => rid === undefined || { events: 10_000 },
  historyAge: STORED_MS,
})
comet.on('error', console.error)

// Tells which user a request is from. This demo trusts the URL. A real app uses its session: `req.session.userId`.
const identify = (/** @type {Request} */ req) =>
  typeof req.query.uid === 'string' ? req.query.uid : undefined

app.use(express.static(join(import.meta.dirname, 'public')))
app.use('/comet', cometExpress(comet, { identify }))
app.use(express.json())

app.post('/runs', async (req, res) => {
  const uid = identify(req)
  const question = req.body?.question
  if (!uid) return res.sendStatus(401)
  if (typeof question !== 'string' || question === '' || question.length > 1_000) return res.sendStatus(400)
  const run = randomUUID()
  const controller = new AbortController()
  // A page that comes with this position gets the answer from its first token, however late it comes.
  const position = await comet.position()
  const { signal } = controller
  runs.set(run, { uid, controller })
  comet
    .publishAll({ rid: run }, numbered(fakeModel(question, signal)), { event: 'token', signal })
    .catch(() => {}) // The page gets `token.end` with the code, and the hook 'error' gets the cause.
    .finally(() => setTimeout(() => runs.delete(run), STORED_MS).unref())
  return res.status(201).json({ run, position })
})

app.post('/runs/:run/stop', (req, res) => {
  const run = runs.get(req.params.run)
  if (run === undefined || run.uid !== identify(req)) return res.sendStatus(404)
  run.controller.abort()
  return res.sendStatus(204)
})

/** Numbers the tokens from 0, so that the page sees when one is missing. @param {AsyncIterable<string>} texts */
async function* numbered(texts) {
  let index = 0
  for await (const text of texts) yield { index: index++, text }
}

/** Gives TOKENS words, RATE in a second. @param {string} question @param {AbortSignal} signal */
async function* fakeModel(question, signal) {
  const words = `You asked: “${question}” A model would answer now. This one repeats its words. `.split(
    /(?<=\s)/,
  )
  const start = performance.now()
  for (let count = 0; count < Number(TOKENS); count += 1) {
    const wait = start + (count * 1_000) / Number(RATE) - performance.now()
    if (wait > 0) await sleep(wait, undefined, { signal })
    yield/** @type {string} */ (words[count % words.length])
  }
}

const server = app.listen(Number(PORT), HOST)
server.once('listening', () => {
  const { port } = /** @type {AddressInfo} */ (server.address())
  console.log(`Answers: http://${HOST}:${port}`)
})

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    // Ends the answers, too, and tells their pages.
    await comet.close()
    server.close()
    // Browsers open spare connections. `server.close` waits for them, so end them after one second.
    setTimeout(() => server.closeAllConnections(), 1_000).unref()
  })
}
