import { type Browser, chromium } from 'playwright-core'
import { scaled } from './inbox.ts'
import { packagedChromium } from './packaged-chromium.ts'
import { findProgram, pending } from './requirements.ts'

const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

const INSTALL = `No Chromium starts here. Install one, so that ${NAMES[0]} or ${NAMES[2]} is on the PATH: apt-get install chromium`

/**
 * Starts a Chromium with a profile of its own, which goes when it is closed: the first on the PATH that starts,
 * otherwise the one of the devDependency `@sparticuz/chromium`. Where there is none, the tests are pending.
 */
export async function launchBrowser(test: Mocha.Context): Promise<Browser> {
  const errors: unknown[] = []
  for (const find of [...NAMES.map((name) => async () => installed(name)), packagedChromium]) {
    try {
      const found = await find()
      if (found !== undefined) return await chromium.launch({ ...found, args: ARGS, timeout: scaled(20_000) })
    } catch (error) {
      // Ubuntu's chromium-browser, for example, may be a script that only says what to install.
      errors.push(error)
    }
  }
  return pending(test, INSTALL, new AggregateError(errors, errors.join('\n')))
}

function installed(name: string): { readonly executablePath: string } | undefined {
  const executablePath = findProgram(name)
  return executablePath === undefined ? undefined : { executablePath }
}
