import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { scaled } from './inbox.ts'

const BUILD = fileURLToPath(new URL('../../scripts/build.js', import.meta.url))

/**
 * Imported by tests of programs that use the package as it is built: before the first test, `dist/` is built unless
 * it is up to date. Await it in each test that needs `dist/`, which then fails when the build failed; others go on.
 */
export async function built(): Promise<void> {
  await building
}

let building: Promise<unknown> | undefined

before('build', async function () {
  this.timeout(scaled(150_000))
  building = promisify(execFile)(process.execPath, [BUILD], {
    timeout: scaled(120_000),
    killSignal: 'SIGKILL',
  })
  await building.catch(() => {})
})
