import { deepEqual, equal, match, ok } from 'node:assert/strict'
import type { Browser, BrowserContextOptions, Locator, Page, Route } from 'playwright-core'
import { launchBrowser } from '../support/browser.ts'
import {
  connectionOf,
  here,
  membersOf,
  membersOnceIn,
  message,
  messagesOf,
  notice,
  noticesOf,
  openRoom,
  requestsOf,
  roomButton,
  say,
  unread,
} from '../support/chat-page.ts'
import { Cuttable } from '../support/cuttable.ts'
import { Example } from '../support/example.ts'
import { scaled } from '../support/inbox.ts'
import { faintTextsOf, overflowOf, widestLine } from '../support/page-measures.ts'

const NARROW = { viewport: { width: 360, height: 740 } }
const WIDE = { viewport: { width: 1400, height: 800 } }
/** The least width and height of a control, in pixels: the touch target that WCAG asks for at level AAA. */
const FINGER = 44

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
  const visit = async (
    name: string,
    url = example.url,
    options: BrowserContextOptions = {},
  ): Promise<Page> => {
    const page = await (await browser.newContext(options)).newPage()
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
    // On a narrow screen the members are hidden at first.
    await here(page, name).waitFor({ state: 'attached' })
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

  it('marks a room that is not open with the number of its unread messages, until it is opened', async () => {
    const ada = await visit('Ada')
    const bob = await visit('Bob')
    await openRoom(bob, 'den')
    for (const text of ['one', 'two', 'three']) await say(bob, text)
    await unread(ada, 'den', '3 unread messages').waitFor()
    equal(await unread(bob, 'den').count(), 0)
    equal(await unread(ada, 'lobby').count(), 0)
    await ada.reload()
    await unread(ada, 'den', '3 unread messages').waitFor()
    await roomButton(ada, 'den').click()
    await message(ada, 'three').waitFor()
    equal(await unread(ada, 'den').count(), 0)
    await say(bob, 'four')
    await message(ada, 'four').waitFor()
    await roomButton(ada, 'lobby').click()
    await message(ada, 'four').waitFor({ state: 'detached' })
    await say(bob, 'five')
    await unread(ada, 'den', '1 unread message').waitFor()
    deepEqual(complaints, [])
  })

  it('counts messages as unread that were written while the connection was broken', async () => {
    const ada = await visit('Ada', way.url)
    const bob = await visit('Bob')
    await openRoom(bob, 'den')
    await roomButton(ada, 'den').waitFor()
    await ada.context().setOffline(true)
    way.cut()
    await connectionOf(ada).filter({ hasText: 'Offline' }).waitFor()
    await say(bob, 'one')
    await say(bob, 'two')
    await message(bob, 'two').waitFor()
    await ada.context().setOffline(false)
    await unread(ada, 'den', '2 unread messages').waitFor()
  })

  it('does not show the unread messages of a room like the number of its members', async () => {
    const ada = await visit('Ada')
    const bob = await visit('Bob')
    const carol = await visit('Carol')
    await openRoom(bob, 'den')
    await openRoom(carol, 'den')
    await say(bob, 'one')
    await say(bob, 'two')
    await ada.getByRole('button', { name: 'den 2 people here 2 unread messages', exact: true }).waitFor()
    const mark = unread(ada, 'den')
    const count = roomButton(ada, 'den').getByText('2 people here')
    equal(await mark.textContent(), '2')
    const [markBox, countBox] = [await mark.boundingBox(), await count.boundingBox()]
    ok(markBox && countBox && markBox.x > countBox.x + countBox.width, 'The mark stands beside the count')
    const backgroundOf = (each: Locator) =>
      each.evaluate((element) => element.ownerDocument.defaultView.getComputedStyle(element).background)
    ok((await backgroundOf(mark)) !== (await backgroundOf(count)), 'Only the mark has a background')
  })

  describe('on a screen of 360 px', () => {
    /** Asserts that each control can be clicked where it is, and is large enough for a finger. */
    const hasUsableControls = async (part: Locator, least: number): Promise<void> => {
      const controls = await part.locator('button:visible, input:visible, textarea:visible').all()
      ok(controls.length >= least, `${controls.length} controls`)
      for (const control of controls) {
        const { x, y, width, height } = (await control.boundingBox()) ?? { x: -1, y: -1, width: 0, height: 0 }
        const what = `${await control.evaluate((element) => element.outerHTML)} at ${x}, ${y}: ${width} x ${height}`
        ok(x >= 0 && x + width <= 360 && y >= 0 && y + height <= 740, what)
        ok(width >= FINGER && height >= FINGER, what)
        await control.click({ trial: true })
      }
    }

    it('has all controls in the window and reaches the rooms and the members', async () => {
      const eve = await visit('W'.repeat(24))
      await openRoom(eve, 'M'.repeat(24))
      const ada = await visit('Ada', example.url, { ...NARROW, hasTouch: true })
      await say(eve, 'x'.repeat(300))
      await ada.getByRole('button', { name: 'Rooms 1 unread message', exact: true }).click()
      await hasUsableControls(ada.locator('#side'), 7)
      equal(await overflowOf(ada), 0)
      await roomButton(ada, 'MMM').tap()
      await ada.getByRole('heading', { name: 'MMM', level: 1 }).waitFor()
      await message(ada, 'xxx').waitFor()
      await ada.locator('#side').waitFor({ state: 'hidden' })
      await hasUsableControls(ada.locator('body'), 4)
      equal(await overflowOf(ada), 0)
      await ada.getByRole('button', { name: 'People' }).click()
      await here(ada, 'WWW').waitFor()
      equal(await overflowOf(ada), 0)
      // The panel leaves the header free, so the same button closes it.
      await ada.getByRole('button', { name: 'People' }).click()
      await here(ada, 'WWW').waitFor({ state: 'hidden' })
      await ada.getByRole('button', { name: 'Rooms' }).click()
      await ada.getByRole('button', { name: 'Sign out' }).click()
      await ada.getByLabel('Your name').waitFor()
      await hasUsableControls(ada.locator('body'), 2)
      equal(await overflowOf(ada), 0)
      deepEqual(complaints, [])
    })

    it('shows the wide layout when the screen is turned while the rooms are open', async () => {
      const ada = await visit('Ada', example.url, NARROW)
      await ada.getByRole('button', { name: 'Rooms' }).click()
      await roomButton(ada, 'coffee').waitFor()
      await ada.setViewportSize(WIDE.viewport)
      await ada.locator('#side:not(:popover-open)').waitFor()
      await roomButton(ada, 'coffee').click()
      await ada.getByRole('heading', { name: 'coffee', level: 1 }).waitFor()
    })

    it('shows the state of the connection, also when the server stops', async () => {
      const ada = await visit('Ada', way.url, NARROW)
      const shows = async (text: string) => {
        await connectionOf(ada).filter({ hasText: text }).waitFor()
        const { x, y, width } = (await connectionOf(ada).boundingBox()) ?? { x: -1, y: -1, width: 0 }
        ok(x >= 0 && y >= 0 && x + width <= 360, `${text} at ${x}, ${y}, ${width} wide`)
      }
      await shows('Online')
      way.cut()
      await shows('Reconnecting…')
      await shows('Online')
      await example.stop()
      await shows('Offline. Reconnecting…')
      equal(await overflowOf(ada), 0)
    })

    it('shows that it is connecting, and that a connection has ended', async () => {
      const ada = await visit('Ada', example.url, NARROW)
      let asks: (route: Route) => void = () => {}
      const asked = new Promise<Route>((resolve) => {
        asks = resolve
      })
      await ada.route(/\/comet\?/, (route) => asks(route))
      await ada.reload()
      await connectionOf(ada).filter({ hasText: 'Connecting…' }).waitFor()
      // The page may show it before the browser asks.
      await (await asked).fulfill({ status: 403 })
      await connectionOf(ada).filter({ hasText: 'Ended' }).waitFor()
      equal(await overflowOf(ada), 0)
    })
  })

  it('has no message line of more than 70 ch on a wide screen', async () => {
    const ada = await visit('Ada', example.url, WIDE)
    const bob = await visit('Bob', example.url, WIDE)
    await say(ada, 'words '.repeat(60))
    await say(bob, 'x'.repeat(300))
    for (const page of [ada, bob]) {
      await message(page, 'words').waitFor()
      await message(page, 'xxx').waitFor()
      const width = await widestLine(page, '#log .text')
      ok(width > 50 && width <= 70, `${width} ch`)
    }
  })

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`has enough contrast with ${colorScheme} colours`, async () => {
      const ada = await visit('Ada', way.url, { ...WIDE, colorScheme })
      const bob = await visit('Bob')
      await say(bob, 'hello')
      await message(ada, 'hello').waitFor()
      await say(ada, 'hi')
      await openRoom(bob, 'den')
      await say(bob, 'in the den')
      await unread(ada, 'den').waitFor()
      deepEqual(await faintTextsOf(ada), [])
      await ada.context().setOffline(true)
      way.cut()
      await connectionOf(ada).filter({ hasText: 'Offline' }).waitFor()
      await say(ada, 'does anybody hear me?')
      await ada.getByRole('alert').filter({ hasText: 'Not sent' }).waitFor()
      deepEqual(await faintTextsOf(ada), [])
    })
  }
})
