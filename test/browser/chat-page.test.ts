import { deepEqual, equal, match } from 'node:assert/strict'
import type { Browser, Page } from 'playwright-core'
import { launchBrowser } from '../support/browser.ts'
import {
  here,
  membersOf,
  membersOnceIn,
  message,
  messagesOf,
  notice,
  noticesOf,
  openRoom,
  requestsOf,
  say,
} from '../support/chat-page.ts'
import { Cuttable } from '../support/cuttable.ts'
import { Example } from '../support/example.ts'
import { scaled } from '../support/inbox.ts'

describe('Chat page in Chromium', function () {
  this.timeout(scaled(90_000))
  let browser: Browser
  let example: Example
  let way: Cuttable
  let pages: Page[]
  let complaints: string[]

  before(async function () {
    browser = await launchBrowser(this)
  })

  after(async () => {
    await browser?.close()
  })

  beforeEach(async () => {
    pages = []
    complaints = []
    example = await Example.start('chat')
    way = await Cuttable.to(example.url)
  })

  afterEach(async () => {
    // After a failure no server must stay open, or the process would not end.
    way?.close()
    await Promise.all([example?.stop(), ...pages.map((page) => page.context().close())])
  })

  /** Opens the page in a browser context of its own, and signs in. */
  const visit = async (name: string, url = example.url): Promise<Page> => {
    const page = await (await browser.newContext()).newPage()
    pages.push(page)
    page.setDefaultTimeout(scaled(20_000))
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('dialog', (dialog) => complaints.push(`dialog ${dialog.message()}`))
    await page.goto(url)
    await page.getByLabel('Your name').fill(name)
    await page.getByRole('button', { name: 'Come in' }).click()
    await here(page, name).waitFor()
    return page
  }

  it('lets two people talk, and lists both as members', async () => {
    const ada = await visit('Ada')
    const bob = await visit('Bob')
    await here(ada, 'Bob').waitFor()
    await say(ada, 'hello')
    await message(bob, 'hello').waitFor()
    await say(bob, 'hi\nthere')
    for (const page of [ada, bob]) {
      await message(page, 'hi').waitFor()
      deepEqual(await messagesOf(page), ['Ada: hello', 'Bob: hi\nthere'])
      deepEqual(await membersOf(page), ['Ada', 'Bob'])
      match((await page.locator('#log time').first().textContent()) ?? '', /\d/)
    }
    deepEqual(await noticesOf(ada), ['Bob came in'])
    deepEqual(complaints, [])
  })

  it('shows a sign-out at once', async () => {
    const ada = await visit('Ada')
    const bob = await visit('Bob')
    const carol = await visit('Carol')
    // Carol's grace begins first: if Bob had one, too, it would end after hers.
    await carol.close()
    await bob.getByRole('button', { name: 'Sign out' }).click()
    await bob.getByLabel('Your name').waitFor()
    await notice(ada, 'Bob left').waitFor()
    deepEqual(await membersOf(ada), ['Ada', 'Carol'])
    await bob.reload()
    await bob.getByLabel('Your name').waitFor()
    deepEqual(complaints, [])
  })

  it('shows nothing of a reload', async () => {
    const ada = await visit('Ada')
    const bob = await visit('Bob')
    const carol = await visit('Carol')
    await say(ada, 'hello')
    await message(bob, 'hello').waitFor()
    await say(bob, 'hi')
    await message(ada, 'hi').waitFor()
    await bob.reload()
    await here(bob, 'Bob').waitFor()
    await message(bob, 'hi').waitFor()
    // Carol does not return. Her grace began after that of Bob's old page, so it ends later.
    await carol.close()
    await notice(ada, 'Carol left').waitFor()
    await say(ada, 'still here?')
    await message(bob, 'still here?').waitFor()
    deepEqual(await messagesOf(bob), ['Ada: hello', 'Bob: hi', 'Ada: still here?'])
    deepEqual(await messagesOf(ada), ['Ada: hello', 'Bob: hi', 'Ada: still here?'])
    deepEqual(await noticesOf(ada), ['Bob came in', 'Carol came in', 'Carol left'])
    for (const page of [ada, bob]) deepEqual(await membersOf(page), ['Ada', 'Bob'])
    deepEqual(complaints, [])
  })

  it('returns to its room after the connection broke, and shows what was said meanwhile', async () => {
    const ada = await visit('Ada')
    const bob = await visit('Bob', way.url)
    await openRoom(ada, 'den')
    await openRoom(bob, 'den')
    await here(ada, 'Bob').waitFor()
    await say(ada, 'before')
    await message(bob, 'before').waitFor()
    const asked = requestsOf(bob)
    way.cut()
    await bob.getByText('Reconnecting…').waitFor()
    await say(ada, 'meanwhile')
    await message(bob, 'meanwhile').waitFor()
    // The new connection has its rooms and their events, so the page asks for nothing else.
    deepEqual(asked, ['GET /comet'])
    await say(bob, 'after')
    for (const page of [ada, bob]) await message(page, 'after').waitFor()
    const carol = await visit('Carol')
    await carol.getByRole('button', { name: 'den' }).click()
    await here(bob, 'Carol').waitFor()
    await carol.close()
    for (const page of [ada, bob]) await notice(page, 'Carol left').waitFor()
    deepEqual(await messagesOf(bob), ['Ada: before', 'Ada: meanwhile', 'Bob: after'])
    deepEqual(await noticesOf(ada), ['Bob came in', 'Carol came in', 'Carol left'])
    deepEqual(await membersOf(bob), ['Ada', 'Bob'])
    equal(await bob.getByRole('heading', { level: 1 }).textContent(), 'den')
  })

  it('enters its room again after an absence longer than the grace', async () => {
    const ada = await visit('Ada')
    const bob = await visit('Bob', way.url)
    await openRoom(ada, 'den')
    await openRoom(bob, 'den')
    await here(ada, 'Bob').waitFor()
    await say(ada, 'before')
    await message(bob, 'before').waitFor()
    await bob.context().setOffline(true)
    way.cut()
    await notice(ada, 'Bob left').waitFor()
    await say(ada, 'meanwhile')
    await bob.context().setOffline(false)
    await message(bob, 'meanwhile').waitFor()
    await notice(ada, 'Bob came in').nth(1).waitFor()
    await say(bob, 'after')
    for (const page of [ada, bob]) {
      await message(page, 'after').waitFor()
      deepEqual(await messagesOf(page), ['Ada: before', 'Ada: meanwhile', 'Bob: after'])
      deepEqual(await membersOf(page), ['Ada', 'Bob'])
    }
    deepEqual(await noticesOf(ada), ['Bob came in', 'Bob left', 'Bob came in'])
    await ada.getByRole('button', { name: 'lobby' }).click()
    deepEqual(await membersOnceIn(ada, 'lobby'), ['Ada'])
  })

  it('lets people open, change and leave rooms', async () => {
    const ada = await visit('Ada')
    const bob = await visit('Bob')
    await say(ada, 'in the lobby')
    await message(bob, 'in the lobby').waitFor()
    await openRoom(bob, 'den')
    await notice(ada, 'Bob left').waitFor()
    deepEqual(await membersOnceIn(bob, 'den'), ['Bob'])
    deepEqual(await messagesOf(bob), [])
    await say(bob, 'in the den')
    await ada.getByRole('button', { name: 'den' }).click()
    await message(ada, 'in the den').waitFor()
    deepEqual(await messagesOf(ada), ['Bob: in the den'])
    await ada.getByRole('button', { name: 'lobby' }).click()
    await message(ada, 'in the lobby').waitFor()
    await bob.getByRole('button', { name: 'lobby' }).click()
    await notice(ada, 'Bob came in').waitFor()
    await ada.getByRole('button', { name: 'den' }).waitFor({ state: 'detached' })
    deepEqual(complaints, [])
  })

  it('shows that somebody is typing until the message arrives', async () => {
    const ada = await visit('Ada')
    const bob = await visit('Bob')
    await ada.getByLabel('Message', { exact: true }).pressSequentially('he')
    await bob.getByText('Ada is typing…').waitFor()
    await say(ada, 'hello')
    await message(bob, 'hello').waitFor()
    equal(await bob.getByText('Ada is typing…').count(), 0)
  })

  it('shows markup in names, rooms and messages as text', async () => {
    const name = '<img src=x onerror=a()>'
    const room = '<script>alert(1)'
    const text = '<img src=x onerror="alert(1)"><b>bold</b> &amp;'
    const eve = await visit(name)
    const bob = await visit('Bob')
    await openRoom(eve, room)
    await bob.getByRole('button', { name: room }).click()
    await here(bob, name).waitFor()
    await say(eve, text)
    await message(bob, text).waitFor()
    await eve.getByLabel('Message', { exact: true }).pressSequentially('x')
    await bob.getByText(`${name} is typing…`).waitFor()
    for (const page of [eve, bob]) {
      await message(page, text).waitFor()
      deepEqual(await messagesOf(page), [`${name}: ${text}`])
      equal(await page.locator('body :is(img, script, b)').count(), 0)
      equal(await page.title(), `${room} · Comet chat`)
    }
    deepEqual(complaints, [])
  })

  it('refuses an invalid name', async () => {
    const page = await (await browser.newContext()).newPage()
    pages.push(page)
    await page.goto(example.url)
    await page.getByLabel('Your name').fill('a\u0007b')
    await page.getByRole('button', { name: 'Come in' }).click()
    await page.getByText('Please choose another name.').waitFor()
  })
})
