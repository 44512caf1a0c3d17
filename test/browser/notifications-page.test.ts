import { deepEqual } from 'node:assert/strict'
import type { Browser, Page } from 'playwright-core'
import { launchBrowser } from '../support/browser.ts'
import { Example } from '../support/example.ts'
import { scaled } from '../support/inbox.ts'

describe('Notifications page in Chromium', function () {
  this.timeout(scaled(60_000))
  let browser: Browser
  let example: Example

  before(async function () {
    browser = await launchBrowser(this)
    example = await Example.start('express-notifications')
  })

  after(async () => {
    await browser?.close()
    await example?.stop()
  })

  const visit = async (uid: string): Promise<Page> => {
    const page = await browser.newPage()
    page.setDefaultTimeout(scaled(20_000))
    await page.goto(`${example.url}/?uid=${uid}`)
    await page.getByText('Connected.').waitFor()
    return page
  }

  it('shows the notifications of its user, the newest first', async () => {
    const [alice, bob] = [await visit('alice'), await visit('bob')]
    const notify = async (to: string, text: string) => {
      await bob.getByLabel('To').fill(to)
      await bob.getByLabel('Text').fill(text)
      await bob.getByRole('button', { name: 'Send' }).click()
      await bob.getByText(`Sent to ${to}.`).waitFor()
    }
    await notify('alice', 'one')
    await notify('bob', 'for myself')
    await notify('alice', '<b>two</b>')
    const shown = (page: Page) => page.getByRole('listitem')
    await shown(alice).filter({ hasText: 'two' }).waitFor()
    deepEqual(await shown(alice).allTextContents(), ['<b>two</b>', 'one'])
    deepEqual(await shown(bob).allTextContents(), ['for myself'])
  })
})
