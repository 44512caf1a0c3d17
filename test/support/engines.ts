import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { launch } from 'puppeteer-core'
import { launchBrowser } from './browser.ts'
import { scaled } from './inbox.ts'
import { requireProgram } from './requirements.ts'
import { openWebKitPage } from './webkit-page.ts'

/** A page in a browser of its own. */
export interface EnginePage {
  goto(url: string): Promise<unknown>
  /** Evaluates an expression in the page. @returns its value, which must be JSON */
  evaluate(expression: string): Promise<unknown>
  /** Closes the page and its browser. */
  close(): Promise<void>
}

/** A browser engine. */
export interface Engine {
  readonly name: string
  /** Starts it. Where it is not installed, the tests are pending. */
  readonly openPage: (test: Mocha.Context) => Promise<EnginePage>
  /** The number of connections that it opens at the same time, to any server. */
  readonly connections: number
}

export const engines: readonly Engine[] = [
  { name: 'Chromium', openPage: openChromiumPage, connections: 200 },
  { name: 'Firefox', openPage: openFirefoxPage, connections: 200 },
  // 17 in libsoup, of which the page needs one.
  { name: 'WebKitGTK', openPage: openWebKitPage, connections: 15 },
]

async function openChromiumPage(test: Mocha.Context): Promise<EnginePage> {
  const browser = await launchBrowser(test)
  const page = await browser.newPage()
  return {
    goto: (url) => page.goto(url),
    evaluate: (expression) => page.evaluate(expression),
    close: () => browser.close(),
  }
}

async function openFirefoxPage(test: Mocha.Context): Promise<EnginePage> {
  const executablePath = requireProgram(test, 'firefox-esr', 'apt-get install firefox-esr')
  const home = await mkdtemp(join(tmpdir(), 'comet-firefox-'))
  try {
    const browser = await launch({
      browser: 'firefox',
      executablePath,
      headless: true,
      timeout: scaled(60_000),
      env: { ...process.env, HOME: home },
    })
    const page = await browser.newPage()
    return {
      goto: (url) => page.goto(url),
      evaluate: (expression) => page.evaluate(expression),
      close: async () => {
        await browser.close()
        await rm(home, { recursive: true, force: true })
      },
    }
  } catch (error) {
    await rm(home, { recursive: true, force: true })
    throw error
  }
}
