import { deepEqual, equal, match } from 'node:assert/strict'
import type { Browser } from 'playwright-core'
import { launchBrowser } from '../support/browser.ts'
import { type DocPage, openPage } from '../support/doc-page.ts'
import { DocProgram, programOf } from '../support/doc-program.ts'
import { Gateway } from '../support/gateway.ts'
import { scaled, until } from '../support/inbox.ts'
import '../support/process-guard.ts'

const PAGE = 'docs/guides/rooms.md'

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
  beforeEach(async () => {
    pages = []
    program = await DocProgram.start(programOf(PAGE, 'room'))
    gateway = await Gateway.to(program.port)
  })
  afterEach(async () => {
    for (const { close } of pages) await close()
    await gateway?.close()
    await program?.remove()
  })

  const open = async (uid: string, options: { origin?: string; mayFail?: boolean } = {}) => {
    const tab = await openPage(browser, program, { path: `/?uid=${uid}`, ...options })
    pages.push(tab)
    return tab
  }
  const enter = async (uid: string, options?: { origin?: string; mayFail?: boolean }) => {
    const tab = await open(uid, options)
    return { tab, ...JSON.parse((await tab.next('comet.ready')).data) }
  }
  const say = async ({ page }: DocPage, text: string) => {
    await page.getByLabel('Text').fill(text)
    await page.keyboard.press('Enter')
  }
  const linesOf = ({ page }: DocPage) => page.locator('#lines li').allTextContents()
  const shows = async (tab: DocPage, ...lines: string[]) => {
    await until(async () => String(await linesOf(tab)) === String(lines), `showing ${lines}`)
  }
  /** Waits until the page shows exactly these members, in any order. */
  const here = async ({ page }: DocPage, ...uids: string[]) => {
    const shown = async () => (await page.locator('#members').textContent())?.split(', ').sort()
    await until(async () => String(await shown()) === String(uids), `showing ${uids}`)
  }
  const state = ({ page }: DocPage, text: string) => page.locator('#state', { hasText: text }).waitFor()
  const ban = async (uid: string) => {
    equal((await fetch(`${program.origin}/rooms/lobby/bans/${uid}`, { method: 'POST' })).status, 204)
  }
  const packet = (uid: string, sid: string, body: unknown) =>
    fetch(`${program.origin}/comet/${sid}?uid=${uid}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    })
  const send = (uid: string, sid: string, evt: string) => packet(uid, sid, { type: 'SEND', send: { evt } })
  const codeOf = async (answer: Response) => [answer.status, JSON.parse(await answer.text()).error.code]
  const line = (text: string, rid = 'lobby') => JSON.stringify({ rid, text })

  it('shows two users that meet, what they say, and that one leaves', async () => {
    const alice = await enter('alice')
    await here(alice.tab, 'alice')
    const bob = await enter('bob')
    for (const { tab } of [alice, bob]) await here(tab, 'alice', 'bob')
    await say(alice.tab, 'one')
    for (const { tab } of [alice, bob]) await shows(tab, 'alice: one')
    await say(bob.tab, 'two')
    for (const { tab } of [alice, bob]) await shows(tab, 'alice: one', 'bob: two')
    equal((await packet('bob', bob.sid, { type: 'BYE' })).status, 204)
    await bob.tab.close()
    await here(alice.tab, 'alice')
    deepEqual(alice.tab.problems, [])
    equal(program.output.err, '')
  })

  it('tells also the user that enters, and nothing for a second tab', async () => {
    const one = await enter('alice')
    deepEqual(JSON.parse((await one.tab.next('came')).data), { rid: 'lobby', uid: 'alice' })
    const two = await enter('alice')
    const names = () => [...one.tab.events.all, ...two.tab.events.all].map(({ event }) => event)
    await say(two.tab, 'one')
    for (const { tab } of [one, two]) await tab.next('line')
    deepEqual(names(), ['comet.ready', 'came', 'line', 'comet.ready', 'line'])
  })

  it('gives a newcomer the members and the last 50 lines', async () => {
    const alice = await enter('alice')
    const texts = Array.from({ length: 51 }, (_, at) => `line ${at}`)
    for (const text of texts) {
      // The rate of packets is limited.
      await until(async () => (await send('alice', alice.sid, line(text))).status === 204, text)
    }
    const bob = await enter('bob')
    await here(bob.tab, 'alice', 'bob')
    await shows(bob.tab, ...texts.slice(1).map((text) => `alice: ${text}`))
    deepEqual(bob.tab.problems, [])
  })

  it('misses nothing that happens between the state and the stream', async () => {
    const alice = await enter('alice')
    const carol = await enter('carol')
    await say(alice.tab, 'before')
    await shows(alice.tab, 'alice: before')
    const gate = gateway.holdStreams()
    const bob = await open('bob', { origin: gateway.origin })
    await gate.arrival()
    await here(bob, 'alice', 'carol')
    await say(alice.tab, 'between')
    await shows(alice.tab, 'alice: before', 'alice: between')
    await packet('carol', carol.sid, { type: 'BYE' })
    await here(alice.tab, 'alice')
    gate.open()
    await shows(bob, 'alice: before', 'alice: between')
    await here(bob, 'alice', 'bob')
    deepEqual(bob.problems, [])
  })

  it('opens its stream anew after a gap', async () => {
    const { tab } = await enter('alice', { origin: gateway.origin, mayFail: true })
    await say(tab, 'old')
    await shows(tab, 'alice: old')
    gateway.cut()
    await program.stop()
    await program.start() // The lines of the Map are gone with the process.
    await tab.next('comet.gap')
    await shows(tab)
    await tab.next('comet.ready')
    await say(tab, 'new')
    await shows(tab, 'alice: new')
    await here(tab, 'alice')
  })

  it('refuses a line to a room that the session is not in, and text that is no line', async () => {
    const { tab, sid } = await enter('alice')
    deepEqual(await codeOf(await send('alice', sid, line('hi', 'garden'))), [403, 'FORBIDDEN'])
    deepEqual(await codeOf(await send('alice', sid, line('hi', 'nowhere'))), [403, 'FORBIDDEN'])
    deepEqual(await codeOf(await send('alice', sid, 'null')), [403, 'FORBIDDEN'])
    deepEqual(await codeOf(await send('alice', sid, '{')), [400, 'INVALID_JSON'])
    equal((await packet('alice', sid, { type: 'LEAVE', leave: { rid: 'lobby' } })).status, 204)
    deepEqual(await codeOf(await send('alice', sid, line('hi'))), [403, 'FORBIDDEN'])
    await say(tab, 'hi')
    await state(tab, 'Not sent.')
    equal(program.output.err, '')
  })

  it('asks for a room of its URL again, also after LEAVE', async () => {
    const { tab, sid } = await enter('alice', { origin: gateway.origin, mayFail: true })
    await packet('alice', sid, { type: 'LEAVE', leave: { rid: 'lobby' } })
    gateway.cut()
    await tab.page.clock.fastForward(5_000)
    deepEqual(JSON.parse((await tab.next('comet.ready')).data).rooms, ['lobby'])
  })

  it('bans a user from the room: at once, and when the user comes back', async () => {
    const alice = await enter('alice')
    const mallory = await enter('mallory')
    // A stream of another page, which does not listen to 'banned'.
    await mallory.tab.page.evaluate(() => {
      Object.assign(globalThis, { kept: new EventSource('/comet?uid=mallory&rid=lobby') })
    })
    const { sid } = JSON.parse((await mallory.tab.next('comet.ready')).data)
    const away = await enter('mallory', { origin: gateway.origin, mayFail: true })
    const gate = gateway.holdStreams()
    gateway.cut()
    await gate.arrival()
    await here(alice.tab, 'alice', 'mallory')
    await ban('mallory')
    deepEqual(await codeOf(await send('mallory', sid, line('hi'))), [403, 'FORBIDDEN'])
    await state(mallory.tab, 'You were banned.')
    await here(alice.tab, 'alice')
    gate.open()
    await state(away.tab, 'Not connected.')
    equal(gateway.streams.at(-1)?.status, 403)
    await say(mallory.tab, 'still here?')
    await state(mallory.tab, 'Not sent.')
    const again = await open('mallory', { mayFail: true })
    await state(again, 'You may not enter.')
    match(await (await fetch(`${program.origin}/rooms/lobby?uid=mallory`)).text(), /Forbidden/)
    await shows(alice.tab)
    equal(program.output.err, '')
  })
})
