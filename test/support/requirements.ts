import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** The lines that say what this machine lacks, printed once each when the run ends. */
const missing = new Set<string>()

process.once('exit', () => {
  for (const reason of missing) console.log(`  pending: ${reason}`)
})

/**
 * Makes a test pending, or in a `before` hook all tests of its suite, because this machine lacks something.
 * With `COMET_REQUIRE_ALL=1` in the environment, as `.ci/run` sets it, the test fails instead.
 *
 * @param reason one line: what is missing, and what to install
 */
export function pending(test: Mocha.Context, reason: string, cause?: unknown): never {
  if (process.env.COMET_REQUIRE_ALL === '1') throw new Error(reason, { cause })
  missing.add(reason)
  return test.skip()
}

/**
 * Makes a test pending where a program is not installed.
 *
 * @param install the command that installs it on Debian
 * @returns the path of the program
 */
export function requireProgram(test: Mocha.Context, program: string, install: string): string {
  const reason = `The program ${program} is not on the PATH. Install it: ${install}`
  return findProgram(program) ?? pending(test, reason)
}

/** @returns the path of a program, or undefined where no folder of the PATH has it */
export function findProgram(name: string): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  const endings = process.platform === 'win32' ? ['.exe', '.cmd', ''] : ['']
  return folders.flatMap((folder) => endings.map((ending) => join(folder, name + ending))).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
