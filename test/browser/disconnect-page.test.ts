import { deepEqual, equal } from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { adapterOf, startApp, type TestApp } from '../support/apps.ts'
import { launchBrowser } from '../support/browser.ts'
import { until } from '../support/inbox.ts'
import '../support/process-guard.ts'

/** Longer than a page with `retry: 1_000` waits before it comes back. */
const LONG_ENOUGH_MS = 1_500

/** Runs in the page: opens the stream that the page's own query names. */
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

describe('a page whose stream was ended for good, in Chromium', function () {
  this.timeout(30_000)
  let browser: Browser
  let context: BrowserContext
  let host: TestApp
  /** The status of each stream that was answered, by the tab that asked for it. */
  let answers: Record<string, number[]>

  before(async function () {
    browser = await launchBrowser(this)
  })
  after(async () => {
    await browser?.close()
  })

  beforeEach(async () => {
    answers = {}
    host = await startApp(adapterOf('Express 5'), {
      comet: { retry: 1_000 },
      before: [count, servePage],
    })
    context = await browser.newContext()
  })
  afterEach(async () => {
    await host?.close()
    await context?.close()
  })

  function count({ url = '', method }: IncomingMessage, res: ServerResponse, next: () => void) {
    if (method !== 'GET' || !url.startsWith('/comet')) return next()
    const tab = String(new URLSearchParams(url.split('?')[1]).get('tab'))
    const statuses = answers[tab] ?? []
    answers[tab] = statuses
    const writeHead = res.writeHead
    // A stream that is accepted is never finished, so what counts is its head.
    res.writeHead = ((...head: Parameters<typeof writeHead>) => {
      statuses.push(Number(head[0]))
      return writeHead.apply(res, head)
    }) as typeof writeHead
    next()
  }

  const open = async (query: Record<string, string>): Promise<Page> => {
    const page = await context.newPage()
    await page.goto(`${host.origin}/page?${new URLSearchParams(query)}`)
    await begun(page)
    return page
  }
  const see = async (page: Page): Promise<Seen> =>
    await page.evaluate('({ ...page, source: undefined, state: page.source.readyState })')
  const eventsOf = async (page: Page, name: string) =>
    (await see(page)).events.filter(({ type }) => type === name).map(({ data }) => data)
  const begun = async (page: Page) =>
    await until(async () => (await eventsOf(page, 'comet.ready')).length > 0, 'begun', 10_000)
  const sidOf = async (page: Page) => JSON.parse(String((await eventsOf(page, 'comet.ready'))[0])).sid
  const closed = async (page: Page) =>
    await until(async () => (await see(page)).state === 2, 'closed', 10_000)
  const hears = async (page: Page, evt: string) =>
    await until(async () => (await eventsOf(page, 'message')).includes(evt), `told ${evt}`, 10_000)
  /** Says BYE as a page does that is left. */
  const sayBye = async (page: Page) => {
    const bye = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"type":"BYE"}' }
    const url = `/comet/${await sidOf(page)}?u=alice`
    equal(
      await page.evaluate(`fetch(${JSON.stringify(url)}, ${JSON.stringify(bye)}).then((r) => r.status)`),
      204,
    )
  }
  const kick = async (page: Page) => {
    equal(await host.comet.disconnect({ sid: await sidOf(page) }), 1)
  }

  for (const [code, end] of [
    ['DISCONNECTED', kick],
    ['BYE', sayBye],
  ] as const) {
    it(`asks once more after ${code}, gets 204, and rests; the user's other tab is untouched`, async () => {
      const one = await open({ u: 'alice', tab: 'one', clientId: 'one' })
      const two = await open({ u: 'alice', tab: 'two', clientId: 'two' })
      await end(one)
      await closed(one)
      await sleep(LONG_ENOUGH_MS)
      deepEqual(answers, { one: [200, 204], two: [200] })
      const { events, errors } = await see(one)
      const close = JSON.parse(String(events.at(-1)?.data))
      deepEqual([events.length, close.code, close.reconnect], [2, code, false])
      // It was lost, came back, and was told to give up.
      deepEqual(errors, [0, 2])
      await host.comet.publish({ uid: 'alice', evt: 'hello' })
      await hears(two, 'hello')
      deepEqual(await eventsOf(one, 'message'), [])
      deepEqual((await see(two)).errors, [])
    })

    it(`connects again with a reload after ${code}`, async () => {
      const page = await open({ u: 'alice', tab: 'one', clientId: 'one' })
      await end(page)
      await closed(page)
      await page.reload()
      await begun(page)
      await host.comet.publish({ uid: 'alice', evt: 'hello' })
      await hears(page, 'hello')
      deepEqual(answers, { one: [200, 204, 200] })
    })
  }

  it('has a mark that does nothing for another user or another clientId', async () => {
    const page = await open({ u: 'alice', tab: 'one', clientId: 'one' })
    await page.evaluate(
      `page.source.addEventListener('comet.close', (event) => (page.mark = event.lastEventId))`,
    )
    await kick(page)
    await closed(page)
    const lastEventId = String(await page.evaluate('page.mark'))
    for (const [u, tab, page] of [
      ['bob', 'bob', { clientId: 'one' }],
      ['alice', 'two', { clientId: 'two' }],
      ['alice', 'none', {}],
    ] as const) {
      const other = await open({ u, tab, ...page, lastEventId })
      await host.comet.publish({ uid: u, evt: tab })
      await hears(other, tab)
    }
    deepEqual(answers, { one: [200, 204], bob: [200], two: [200], none: [200] })
  })

  it('comes back again and again when it may, and is heard each time', async () => {
    const page = await open({ u: 'alice', tab: 'one' })
    for (const round of [1, 2]) {
      await host.comet.disconnect({ uid: 'alice' }, { reconnect: true })
      await host.comet.publish({ uid: 'alice', evt: `missed ${round}` })
      await hears(page, `missed ${round}`)
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
