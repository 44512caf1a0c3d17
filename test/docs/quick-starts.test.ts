import { deepEqual, equal, ok } from 'node:assert/strict'
import type { Browser } from 'playwright-core'
import { launchBrowser } from '../support/browser.ts'
import { openPage } from '../support/doc-page.ts'
import { DocProgram, programsOf } from '../support/doc-program.ts'
import { scaled } from '../support/inbox.ts'
import '../support/process-guard.ts'

const README = 'README.md'

describe('The quick starts of README.md', function () {
  this.timeout(scaled(60_000))
  const quickStarts = programsOf(README)
  let browser: Browser
  let program: DocProgram | undefined

  before(async function () {
    browser = await launchBrowser(this)
  })
  after(async () => {
    await browser?.close()
  })
  afterEach(async () => {
    await program?.remove()
    program = undefined
  })

  it('are one for Express and one for Koa', () => {
    deepEqual(quickStarts.map(({ group }) => group).sort(), ['express', 'koa'])
  })

  for (const text of quickStarts) {
    it(`run as they are written: ${text.group}`, async () => {
      program = await DocProgram.start(text)
      const { next, page, problems, close } = await openPage(browser, program)
      await next('comet.ready')
      await page.click('text=Greet me')
      await next('greeting')
      await page.waitForSelector('text=Hello!')
      deepEqual(problems, [])
      await close()
      equal(program.output.err, '')
      // A program without a handler of SIGTERM has no exit code.
      ok([0, null].includes(await program.stop()))
    })
  }
})
