import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { launchBrowser } from '../support/browser.ts'
import { Cuttable } from '../support/cuttable.ts'
import type { Example } from '../support/example.ts'
import { scaled } from '../support/inbox.ts'
import {
  answerOf,
  ask,
  countOf,
  hasGrown,
  readAnswer,
  runOf,
  says,
  startAnswers,
  stopButton,
  streamUrl,
} from '../support/llm-page.ts'
import { overflowOf } from '../support/page-measures.ts'
import { figure, sampled } from '../support/tier.ts'
import '../support/process-guard.ts'

/** The tokens of the long answer. Five cuts and reloads must fit into the time that it takes. */
const TOKENS = sampled(5_000, scaled(1_400))
/** Tokens in a second. */
const RATE = 200

describe('Answer page in Chromium', function () {
  this.timeout(scaled(120_000))
  let browser: Browser
  let context: BrowserContext
  let example: Example
  let way: Cuttable
  let complaints: string[]

  before(async function () {
    browser = await launchBrowser(this)
  })
  after(() => browser?.close())

  const start = async (tokens: number, rate: number): Promise<void> => {
    example = await startAnswers(tokens, rate)
    way = await Cuttable.to(example.url)
  }

  beforeEach(async () => {
    complaints = []
    context = await browser.newContext({ viewport: { width: 360, height: 740 } })
  })
  afterEach(async () => {
    // After a failure no server must stay open, or the process would not end.
    way?.close()
    await Promise.all([example?.stop(), context?.close()])
  })

  /** Opens the page in a tab of its own. */
  const visit = async (uid: string, url = example.url, hash = ''): Promise<Page> => {
    const page = await context.newPage()
    page.setDefaultTimeout(scaled(20_000))
    page.on('pageerror', (error) => complaints.push(error.message))
    await page.goto(`${url}/?${new URLSearchParams({ uid })}${hash}`)
    return page
  }

  /** Compares what a page shows with what the server has sent. */
  const isWhole = async (page: Page, uid: string, tokens: number): Promise<void> => {
    const answer = await readAnswer(example, uid, runOf(page))
    deepEqual(
      answer.indexes,
      Array.from({ length: tokens }, (_, index) => index),
    )
    equal(await answerOf(page), answer.text)
    equal(await countOf(page), tokens)
  }

  it('shows the whole answer, each token once, although it is reloaded three times and cut twice', async () => {
    await start(TOKENS, RATE)
    const page = await visit('alice', way.url)
    const eighths = (n: number) => hasGrown(page, (n * TOKENS) / 8)
    const began = performance.now()
    await ask(page, 'What survives?')
    await eighths(1)
    await page.reload()
    await eighths(2)
    way.cut()
    await says(page, 'Reconnecting…')
    await page.reload()
    await eighths(3)
    way.cut()
    await says(page, 'Reconnecting…')
    // By itself, after two seconds.
    await eighths(4)
    await page.reload()
    await eighths(5)
    await says(page, 'Done.', scaled(60_000))
    const seconds = ((performance.now() - began) / 1_000).toFixed(1)
    figure('an answer in Chromium, three reloads and two cuts', `${TOKENS} tokens in ${seconds} s`)
    await isWhole(page, 'alice', TOKENS)
    // The answer is stored: a reload after its end shows it again.
    await page.reload()
    await says(page, 'Done.')
    await isWhole(page, 'alice', TOKENS)
    deepEqual(complaints, [])
  })

  it('shows two runs of one user in two tabs, and does not mix them', async () => {
    await start(300, 150)
    const pages = await Promise.all([visit('alice', way.url), visit('alice', way.url)])
    const [one, two] = pages as [Page, Page]
    await ask(one, 'first?')
    await ask(two, 'second?')
    notEqual(runOf(one).run, runOf(two).run)
    await hasGrown(two, 30)
    await Promise.all(pages.map((page) => page.reload()))
    for (const [page, question, others] of [
      [one, 'first?', 'second?'],
      [two, 'second?', 'first?'],
    ] as const) {
      await says(page, 'Done.')
      await isWhole(page, 'alice', 300)
      const answer = await answerOf(page)
      match(answer, new RegExp(question.replace('?', '\\?')))
      ok(!answer.includes(others))
    }
    deepEqual(complaints, [])
  })

  it('stops an answer, in all tabs that show it, and says so after a reload, too', async () => {
    await start(100_000, 100)
    const page = await visit('alice')
    await ask(page, 'Will you stop?')
    const tab = await visit('alice', example.url, new URL(page.url()).hash)
    await hasGrown(page, 20)
    await hasGrown(tab, 20)
    await stopButton(tab).click()
    for (const each of [page, tab]) {
      await says(each, 'Stopped.')
      ok(await stopButton(each).isDisabled())
    }
    const count = await countOf(page)
    await page.reload()
    await says(page, 'Stopped.')
    equal(await countOf(page), count)
    deepEqual((await readAnswer(example, 'alice', runOf(page))).end, { ok: false, code: 'ABORTED', count })
    await isWhole(page, 'alice', count)
    deepEqual(complaints, [])
    equal(example.output.err, '')
  })

  it('stops an answer when the next question is asked', async () => {
    await start(100_000, 100)
    const page = await visit('alice')
    await ask(page, 'first?')
    const first = runOf(page)
    await hasGrown(page, 20)
    await ask(page, 'second?')
    await page.waitForURL((url) => !url.hash.includes(first.run))
    const { end, text } = await readAnswer(example, 'alice', first)
    deepEqual({ ...(end as object), count: 0 }, { ok: false, code: 'ABORTED', count: 0 })
    match(text, /first/)
    await hasGrown(page, 20)
    await stopButton(page).click()
    await says(page, 'Stopped.')
    match(await answerOf(page), /^You asked: “second\?”/)
    deepEqual(complaints, [])
  })

  it('shows an answer to nobody but the user that asked, and lets nobody else stop it', async () => {
    await start(100_000, 100)
    const page = await visit('alice')
    await ask(page, 'A secret?')
    await hasGrown(page, 10)
    const bob = await visit('bob', example.url, new URL(page.url()).hash)
    await says(bob, 'This answer is not available: it is too old, or somebody else asked for it.')
    equal(await answerOf(bob), '')
    equal((await fetch(streamUrl(example, 'bob', runOf(page)))).status, 403)
    const stop = (query: string) =>
      fetch(`${example.url}/runs/${runOf(page).run}/stop${query}`, { method: 'POST' })
    for (const query of ['?uid=bob', '']) equal((await stop(query)).status, 404)
    await hasGrown(page, (await countOf(page)) + 20)
    equal((await stop('?uid=alice')).status, 204)
    await says(page, 'Stopped.')
  })

  it('says that a part is missing when the answer has more tokens than are stored', async () => {
    await start(1_000_000, 5_000)
    const page = await visit('alice')
    await ask(page, 'How long is too long?')
    await hasGrown(page, 10_200)
    await page.reload()
    await says(page, 'A part of this answer is no longer stored.')
    match(await answerOf(page), /^ \[…\] \S/)
    await stopButton(page).click()
    await says(page, 'A part of this answer is missing. Please ask again.')
    deepEqual(complaints, [])
  })

  it('says that the server has stopped when it ends, and is not available after a restart', async () => {
    await start(100_000, 100)
    const page = await visit('alice', way.url)
    await ask(page, 'Are you still there?')
    await hasGrown(page, 10)
    await example.stop()
    // The server ends its runs first.
    await says(page, 'The server has stopped. Please ask again.')
    equal(example.output.err, '')
    way.close()
    const { hash } = new URL(page.url())
    await start(10, 100)
    const later = await visit('alice', way.url, hash)
    await says(later, 'This answer is not available: it is too old, or somebody else asked for it.')
    deepEqual(complaints, [])
  })

  it('says that the model failed', async () => {
    await start(10, 100)
    const page = await visit('alice')
    const token = 'event: token\ndata: {"index":0,"text":"Well, "}\n\n'
    const failed = 'event: token.end\ndata: {"ok":false,"code":"INTERNAL","count":1}\n\n'
    await page.route('**/comet?*', (route) =>
      route.fulfill({ contentType: 'text/event-stream', body: token + failed }),
    )
    await ask(page, 'Why?')
    await says(page, 'The model failed. Please ask again.')
    equal(await answerOf(page), 'Well, ')
    ok(await stopButton(page).isDisabled())
  })

  it('refuses a request without a user, and a question that is none', async () => {
    await start(10, 100)
    const post = async (query: string, body: object) => {
      const headers = { 'Content-Type': 'application/json' }
      const request = { method: 'POST', headers, body: JSON.stringify(body) }
      return (await fetch(`${example.url}/runs${query}`, request)).status
    }
    equal(await post('', { question: 'Who?' }), 401)
    for (const question of [undefined, 5, '', 'x'.repeat(1_001)])
      equal(await post('?uid=alice', { question }), 400)
    const page = await visit('alice', way.url)
    equal(await overflowOf(page), 0)
    way.close()
    await page.getByRole('button', { name: 'Ask' }).click()
    await says(page, 'The server did not take that. Please try again.')
  })
})
