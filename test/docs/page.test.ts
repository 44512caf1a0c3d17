import { deepEqual, equal, match, ok } from 'node:assert/strict'
import type { Browser } from 'playwright-core'
import { launchBrowser } from '../support/browser.ts'
import { type DocPage, openPage } from '../support/doc-page.ts'
import { DocProgram, programOf } from '../support/doc-program.ts'
import { Gateway } from '../support/gateway.ts'
import { scaled, until } from '../support/inbox.ts'
import '../support/process-guard.ts'

/** Longer than the delays of the page and of EventSource. */
const LONG_MS = scaled(20_000)

describe('docs/guides/page.md', function () {
  this.timeout(scaled(60_000))
  let browser: Browser
  let program: DocProgram
  let gateway: Gateway
  let chat: DocPage

  before(async function () {
    browser = await launchBrowser(this)
  })
  after(async () => {
    await browser?.close()
  })

  beforeEach(async () => {
    program = await DocProgram.start(programOf('docs/guides/page.md', 'chat'))
    gateway = await Gateway.to(program.port)
    chat = await openPage(browser, program, { origin: gateway.origin, mayFail: true })
    await isOpen()
  })
  afterEach(async () => {
    await chat?.close()
    await gateway?.close()
    await program?.remove()
  })

  const isOpen = () => chat.page.locator('#state', { hasText: /^open$/ }).waitFor({ timeout: LONG_MS })
  const say = async (text: string, { page } = chat) => {
    await page.getByLabel('Text').fill(text)
    await page.keyboard.press('Enter')
  }
  /** Waits until the page shows exactly these lines. */
  const shows = async (...lines: string[]) => {
    const shown = () => chat.page.locator('#lines li').allTextContents()
    await until(async () => String(await shown()) === String(lines), `showing ${lines}`, LONG_MS)
  }
  const readies = () =>
    chat.events.all.filter(({ event }) => event === 'comet.ready').map(({ data }) => JSON.parse(data))
  const statuses = () => gateway.streams.map(({ status }) => status)
  it('sends, and shows what comes once', async () => {
    await say('one')
    await say('two')
    await shows('one', 'two')
    deepEqual(chat.problems, [])
  })

  it('misses no line between its list and its stream, however late the stream begins', async () => {
    const other = await openPage(browser, program)
    await other.next('comet.ready')
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const streams = /\/comet\?/
    await chat.page.route(streams, async (route) => {
      await held
      await route.continue()
    })
    const listed = chat.page.waitForResponse(/\/lines$/)
    await chat.page.reload()
    await (await listed).finished()
    await say('in between', other)
    await other.next('chat')
    release()
    await shows('in between')
    await other.close()
    deepEqual(chat.problems, [])
  })

  it('comes back after 502s, and misses nothing', async () => {
    await say('one')
    await shows('one')
    const other = await openPage(browser, program)
    await other.next('comet.ready')
    gateway.goDown()
    await say('missed', other)
    await other.next('chat')
    await other.close()
    await until(() => statuses().filter((status) => status === 502).length >= 2, 'two attempts', LONG_MS)
    gateway.isDown = false
    await shows('one', 'missed')
    const last = readies().at(-1)
    deepEqual([last.recovered, last.rooms], [true, ['lobby']])
    match(String(gateway.streams.at(-1)?.url), /lastEventId=/)
    await say('after')
    await shows('one', 'missed', 'after')
    ok(!chat.events.all.some(({ event }) => event === 'comet.gap'))
    deepEqual(chat.problems, [])
  })

  it('comes back when the server is stopped and started, and loads anew', async () => {
    await say('before')
    await shows('before')
    await program.stop()
    await until(() => statuses().at(-1) === 502, 'a 502', LONG_MS)
    gateway.goDown()
    await program.start()
    const other = await openPage(browser, program)
    await other.next('comet.ready')
    await say('missed', other)
    await other.next('chat')
    await other.close()
    gateway.isDown = false
    // No stream brings this line: the new process knows nothing of the position.
    await shows('before', 'missed')
    await say('after')
    await shows('before', 'missed', 'after')
    deepEqual(chat.problems, [])
  })

  it('notices a connection that is silently dead after 2.5 heartbeats, and keeps its session', async () => {
    await chat.page.clock.fastForward(30_000)
    equal(statuses().length, 1)
    program.pause()
    await chat.page.clock.fastForward(38_000)
    await until(() => statuses().length === 2, 'another stream')
    program.resume()
    await until(() => readies().length === 2, 'open again', LONG_MS)
    equal(readies()[1].sid, readies()[0].sid)
    deepEqual(chat.problems, [])
  })

  it('stays away when the server ends its session for good', async () => {
    equal((await fetch(`${program.origin}/sign-out`, { method: 'POST' })).status, 204)
    await chat.page.locator('#state', { hasText: 'DISCONNECTED' }).waitFor()
    await chat.page.clock.fastForward(300_000)
    const refused = chat.page.waitForResponse((response) => response.status() === 404)
    await say('is nobody there?')
    await refused
    await until(async () => (await chat.page.getByLabel('Text').inputValue()) !== '', 'the text again')
    deepEqual(statuses(), [200])
    deepEqual(chat.problems, [])
  })
})
