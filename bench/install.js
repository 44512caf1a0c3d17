import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const FOLDER = new URL('./', import.meta.url)

/** @typedef {{ version?: string, optional?: boolean }} LockedPackage */

/** @param {string} file @returns {Record<string, LockedPackage>} the packages in a lockfile, by their folder */
function packagesIn(file) {
  return JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')).packages
}

/** Whether bench/node_modules has the versions in bench/package-lock.json. npm writes down there what it installed. */
function isInstalled() {
  try {
    const installed = packagesIn('node_modules/.package-lock.json')
    return Object.entries(packagesIn('package-lock.json')).every(
      ([folder, { version, optional = false }]) =>
        folder === '' || optional || installed[folder]?.version === version,
    )
  } catch {
    return false
  }
}

if (!isInstalled()) {
  console.log('Installing the libraries to compare with (npm ci --prefix bench) …')
  // Only errors: some of these packages warn that they prefer a newer Node.
  const options = ['--no-audit', '--no-fund', '--loglevel=error']
  execFileSync('npm', ['ci', ...options], {
    cwd: fileURLToPath(FOLDER),
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}
