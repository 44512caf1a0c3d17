import { deepEqual, equal, notEqual } from 'node:assert/strict'
import type { Browser } from 'playwright-core'
import { launchBrowser } from '../support/browser.ts'
import { readBlocks } from '../support/doc-blocks.ts'
import { type DocPage, openPage } from '../support/doc-page.ts'
import { DocProgram, type ProgramText, programOf } from '../support/doc-program.ts'
import { Gateway } from '../support/gateway.ts'
import { scaled } from '../support/inbox.ts'
import '../support/process-guard.ts'

const PAGE = 'docs/guides/notifications.md'

describe(PAGE, function () {
  this.timeout(scaled(60_000))
  let browser: Browser
  let program: DocProgram
  let gateway: Gateway
  let pages: DocPage[]

  before(async function () {
    browser = await launchBrowser(this)
  })
  after(async () => {
    await browser?.close()
  })

  const start = async (text: ProgramText) => {
    program = await DocProgram.start(text)
    gateway = await Gateway.to(program.port)
  }
  beforeEach(() => {
    pages = []
  })
  afterEach(async () => {
    for (const { close } of pages) await close()
    await gateway?.close()
    await program?.remove()
  })

  const open = async (origin = program.origin) => {
    const page = await openPage(browser, program, { origin, mayFail: origin !== program.origin })
    pages.push(page)
    await page.next('comet.ready')
    return page
  }
  const order = async () => {
    equal((await fetch(`${program.origin}/orders?uid=alice`, { method: 'POST' })).status, 201)
  }
  const shows = ({ page }: DocPage, unread: number) =>
    page.locator('#bell', { hasText: new RegExp(`^${unread}$`) }).waitFor({ timeout: scaled(10_000) })

  it('shows what is there, and what comes, in all tabs, and marks it read in all', async () => {
    await start(programOf(PAGE, 'bell'))
    await order()
    const one = await open()
    const two = await open()
    for (const tab of [one, two]) await shows(tab, 1)
    await order()
    for (const tab of [one, two]) await shows(tab, 2)
    deepEqual(await two.page.locator('#unread li').count(), 2)
    await one.page.locator('#bell').click()
    for (const tab of [one, two]) await shows(tab, 0)
    deepEqual([...one.problems, ...two.problems], [])
    equal(program.output.err, '')
  })

  it('gets what was published between the snapshot and the stream', async () => {
    await start(programOf(PAGE, 'bell'))
    const context = await browser.newContext()
    // The stream waits at the gateway, when the page has its snapshot already.
    const gate = gateway.holdStreams()
    pages.push(await openPage(browser, program, { origin: gateway.origin, context }))
    await gate.arrival()
    await order()
    gate.open()
    await shows(pages[0] as DocPage, 1)
    deepEqual(
      pages[0]?.events.all.map(({ event }) => event),
      ['comet.ready', 'bell'],
    )
    await context.close()
  })

  it('gets what was published while its connection was broken', async () => {
    await start(programOf(PAGE, 'bell'))
    const tab = await open(gateway.origin)
    gateway.cut()
    await order()
    await shows(tab, 1)
    deepEqual(
      tab.events.all.map(({ event }) => event),
      ['comet.ready', 'comet.ready', 'bell'],
    )
  })

  it('gets its snapshot from the hook, too', async () => {
    const { blocks, ...rest } = programOf(PAGE, 'bell')
    const hook = readBlocks(PAGE).find(({ code }) => code.startsWith("comet.on('connect'"))?.code
    // A page that brings no position, and loads nothing.
    const plain = (html: string) =>
      html.replace(/&lastEventId=.*\)}/, '').replace('await load()', 'undefined')
    const edit = { run: (code: string) => code + hook, page: plain }
    const edited = blocks.map((block) => {
      const code = edit[block.mark?.verb as 'run' | 'page'](block.code)
      notEqual(code, block.code)
      return { ...block, code }
    })
    await start({ ...rest, blocks: edited })
    await order()
    const tab = await open()
    equal(JSON.parse((await tab.next('bell')).data).unread.length, 1)
    await order()
    await shows(tab, 2)
    deepEqual(tab.problems, [])
    equal(program.output.err, '')
  })
})
