import { deepEqual, equal } from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { adapterOf, startApp, type TestApp } from '../support/apps.ts'
import { launchBrowser } from '../support/browser.ts'
import { scaled, until } from '../support/inbox.ts'
import '../support/process-guard.ts'

/** How long a page may take for anything. */
const PAGE_MS = scaled(20_000)

/** Longer than a page waits before it reconnects, with `retry: 1_000`. */
const LONG_ENOUGH_MS = 1_500

/** Runs in the page. It opens the stream with the query of the page. */
const SCRIPT = `
  const page = { events: [], errors: [], source: new EventSource('/comet' + location.search) }
  for (const type of ['message', 'comet.ready', 'comet.gap', 'comet.close'])
    page.source.addEventListener(type, ({ data }) => page.events.push({ type, data }))
  page.source.addEventListener('error', () => page.errors.push(page.source.readyState))
`

interface Seen {
  readonly events: { readonly type: string; readonly data: string }[]
  /** The readyState at each error. */
  readonly errors: number[]
  readonly state: number
}

describe('EventSource in Chromium after the end of its session', function () {
  this.timeout(scaled(60_000))
  let browser: Browser
  let context: BrowserContext
  let app: TestApp
  /** The statuses that each tab got for its stream requests. */
  let answers: Record<string, number[]>

  before(async function () {
    browser = await launchBrowser(this)
  })
  after(async () => {
    await browser?.close()
  })

  beforeEach(async () => {
    answers = {}
    app = await startApp(adapterOf('Express 5'), {
      comet: { retry: 1_000 },
      before: [count, servePage],
    })
    context = await browser.newContext()
  })
  afterEach(async () => {
    await app?.close()
    await context?.close()
  })

  function count({ url = '', method }: IncomingMessage, res: ServerResponse, next: () => void) {
    if (method !== 'GET' || !url.startsWith('/comet')) return next()
    const tab = String(new URLSearchParams(url.split('?')[1]).get('tab'))
    const statuses = answers[tab] ?? []
    answers[tab] = statuses
    const writeHead = res.writeHead
    // A stream does not finish, so the status is taken from its head.
    res.writeHead = ((...head: Parameters<typeof writeHead>) => {
      statuses.push(Number(head[0]))
      return writeHead.apply(res, head)
    }) as typeof writeHead
    next()
  }

  const open = async (query: Record<string, string>): Promise<Page> => {
    const page = await context.newPage()
    await page.goto(`${app.origin}/page?${new URLSearchParams(query)}`)
    await begun(page)
    return page
  }
  const see = async (page: Page): Promise<Seen> =>
    await page.evaluate('({ ...page, source: undefined, state: page.source.readyState })')
  const eventsOf = async (page: Page, name: string) =>
    (await see(page)).events.filter(({ type }) => type === name).map(({ data }) => data)
  const begun = async (page: Page) =>
    await until(async () => (await eventsOf(page, 'comet.ready')).length > 0, 'begun', PAGE_MS)
  const sidOf = async (page: Page) => JSON.parse(String((await eventsOf(page, 'comet.ready'))[0])).sid
  const closed = async (page: Page) =>
    await until(async () => (await see(page)).state === 2, 'closed', PAGE_MS)
  const gets = async (page: Page, evt: string) =>
    await until(async () => (await eventsOf(page, 'message')).includes(evt), `sent ${evt}`, PAGE_MS)
  /** Sends BYE, as a page may do when its user signs out. It names the connection that it means. */
  const sendBye = async (page: Page) => {
    const { sid, connection } = JSON.parse(String((await eventsOf(page, 'comet.ready'))[0]))
    const body = JSON.stringify({ type: 'BYE', bye: { connection } })
    const bye = { method: 'POST', headers: { 'content-type': 'application/json' }, body }
    const url = `/comet/${sid}?u=alice`
    equal(
      await page.evaluate(`fetch(${JSON.stringify(url)}, ${JSON.stringify(bye)}).then((r) => r.status)`),
      204,
    )
  }
  const disconnect = async (page: Page) => {
    equal(await app.comet.disconnect({ sid: await sidOf(page) }), 1)
  }

  for (const [code, end] of [
    ['DISCONNECTED', disconnect],
    ['BYE', sendBye],
  ] as const) {
    it(`reconnects once after ${code}, gets 204, and stops; the user's other tab is untouched`, async () => {
      const one = await open({ u: 'alice', tab: 'one', clientId: 'one' })
      const two = await open({ u: 'alice', tab: 'two', clientId: 'two' })
      await end(one)
      await closed(one)
      await sleep(LONG_ENOUGH_MS)
      deepEqual(answers, { one: [200, 204], two: [200] })
      const { events, errors } = await see(one)
      const close = JSON.parse(String(events.at(-1)?.data))
      deepEqual([events.length, close.code, close.reconnect], [2, code, false])
      // It lost the stream, reconnected, and was told to give up.
      deepEqual(errors, [0, 2])
      await app.comet.publish({ uid: 'alice', evt: 'hello' })
      await gets(two, 'hello')
      deepEqual(await eventsOf(one, 'message'), [])
      deepEqual((await see(two)).errors, [])
    })

    it(`connects again with a reload after ${code}`, async () => {
      const page = await open({ u: 'alice', tab: 'one', clientId: 'one' })
      await end(page)
      await closed(page)
      await page.reload()
      await begun(page)
      await app.comet.publish({ uid: 'alice', evt: 'hello' })
      await gets(page, 'hello')
      deepEqual(answers, { one: [200, 204, 200] })
    })
  }

  it('brings a stay-away token that has no effect for another user or another clientId', async () => {
    const page = await open({ u: 'alice', tab: 'one', clientId: 'one' })
    await page.evaluate(
      `page.source.addEventListener('comet.close', (event) => (page.token = event.lastEventId))`,
    )
    await disconnect(page)
    await closed(page)
    const lastEventId = String(await page.evaluate('page.token'))
    for (const [u, tab, page] of [
      ['bob', 'bob', { clientId: 'one' }],
      ['alice', 'two', { clientId: 'two' }],
      ['alice', 'none', {}],
    ] as const) {
      const other = await open({ u, tab, ...page, lastEventId })
      await app.comet.publish({ uid: u, evt: tab })
      await gets(other, tab)
    }
    deepEqual(answers, { one: [200, 204], bob: [200], two: [200], none: [200] })
  })

  it('reconnects whenever it may, and gets what it missed each time', async () => {
    const page = await open({ u: 'alice', tab: 'one' })
    for (const round of [1, 2]) {
      await app.comet.disconnect({ uid: 'alice' }, { reconnect: true })
      await app.comet.publish({ uid: 'alice', evt: `missed ${round}` })
      await gets(page, `missed ${round}`)
    }
    deepEqual(answers, { one: [200, 200, 200] })
    deepEqual(await eventsOf(page, 'message'), ['missed 1', 'missed 2'])
    deepEqual((await see(page)).errors, [0, 0])
  })
})

function servePage({ url = '' }: IncomingMessage, res: ServerResponse, next: () => void) {
  if (!url.startsWith('/page')) return next()
  res.setHeader('Content-Type', 'text/html')
  res.end(`<!doctype html><title>Page</title><link rel="icon" href="data:,"><script>${SCRIPT}</script>`)
}
