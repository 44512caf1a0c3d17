import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'

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

const INSTALL = 'There is no chromium on the PATH. Install it: apt-get install chromium'

/**
 * Starts a Chromium with a profile of its own, which goes when it is closed. Where none is installed, the tests are
 * pending; under `CI=true` they fail.
 */
export async function launchBrowser(test: Mocha.Context): Promise<Browser> {
  const executablePath = findBrowser()
  if (executablePath !== undefined) return await chromium.launch({ executablePath, args: ARGS })
  if (process.env.CI === 'true') throw new Error(INSTALL)
  console.log(INSTALL)
  return test.skip()
}

function findBrowser(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  return [...folders, '/usr/bin'].map((folder) => join(folder, 'chromium')).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
