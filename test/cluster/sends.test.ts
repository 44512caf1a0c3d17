import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { scaled, until } from '../support/inbox.ts'
import { Random, SEED } from '../support/random.ts'
import { figure, sampled } from '../support/tier.ts'
import { Cluster } from './cluster.ts'
import { Page } from './page.ts'

const SENDS = sampled(1_000, 150)
const PAGES = 10
const PATIENCE_MS = scaled(20_000)

describe('SEND on three processes', function () {
  this.timeout(scaled(sampled(600_000, 60_000)))
  const random = new Random(SEED)
  const pages: Page[] = []
  let cluster: Cluster

  before(async function () {
    const options = { heartbeatInterval: 200, offlineGrace: 10_000 }
    cluster = await Cluster.start(this, { random, options, lease: 5_000 })
    for (let index = 0; index < PAGES; index += 1) {
      const uid = `user-${index}`
      const pause = () => random.int(0, 60)
      pages.push(new Page(cluster.proxy.url, { uid, clientId: uid, rids: [], pause, patience: 2_000 }))
    }
  })
  after(async () => {
    for (const page of pages) page.stop()
    await cluster?.close()
  })

  /** What became of the attempts of all SENDs. */
  const outcomes: Record<string, number> = {}

  /** Sends until there is an answer. Some requests are cut off meanwhile. @returns the answer */
  async function send(page: Page, id: string, evt: string): Promise<string> {
    for (;;) {
      await until(() => page.ready !== undefined, 'a stream', PATIENCE_MS)
      const patience = random.chance(0.4) ? random.int(1, 40) : PATIENCE_MS
      const { status, text } = await page.post({ type: 'SEND', send: { id, evt } }, patience)
      outcomes[status] = (outcomes[status] ?? 0) + 1
      if (status === 200) return text
      assert.ok(status === 0 || status === 404 || status >= 500, `SEND got ${status}: ${text}`)
    }
  }

  it(`is handled once, and answered with its own answer, ${SENDS} times with cuts`, async () => {
    let isOver = false
    const answers = new Map<string, string>()
    const cutting = (async () => {
      while (!isOver) {
        const page = random.pick(pages)
        if (random.chance(0.5)) page.drop()
        else page.reload()
        await sleep(random.int(5, 40))
        if (!random.chance(0.03)) continue
        // For less than a command waits, and than the lease.
        const { path } = random.pick(cluster.slots)
        path.cut()
        await sleep(random.int(10, 100))
        path.heal()
      }
    })()
    const sendAll = async (page: Page) => {
      for (let index = 0; index < SENDS / PAGES; index += 1) {
        const evt = `after ${random.int(0, 15)} ms, ${page.uid} says ${index}`
        answers.set(evt, await send(page, String(index), evt))
      }
    }
    try {
      await Promise.all(pages.map(sendAll))
    } finally {
      isOver = true
      await cutting
    }
    assert.equal(answers.size, SENDS)
    for (const [evt, answer] of answers) assert.equal(JSON.parse(answer).echo, evt)
    const handled = new Map(Array.from(answers.keys(), (evt) => [evt, 0]))
    for (const { log } of cluster.nodes) {
      for (const report of log)
        if (report.is === 'message') handled.set(report.evt, (handled.get(report.evt) ?? 0) + 1)
    }
    const wrong = Array.from(handled).filter(([, times]) => times !== 1)
    assert.deepEqual(wrong, [])
    assert.ok((outcomes[0] ?? 0) > 0)
    figure('attempts by status', JSON.stringify(outcomes))
  })
})
