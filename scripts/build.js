/**
 * Builds `dist/` unless it is up to date: `npm run build`. With `-- --force` it always builds.
 *
 * Every command that uses `dist/` runs this first. Several processes may: one builds, the others wait for it.
 */
import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
// tsdown loads its configuration from the working directory.
process.chdir(root)

const dist = join(root, 'dist')
/** `npm ci` removes this folder, so that new tools build anew. */
const cache = join(root, 'node_modules/.cache/comet-sse')
const unfinished = join(cache, 'dist')
const former = join(cache, 'dist-former')
const stampFile = join(cache, 'build.json')
const lockFile = join(cache, 'build.lock')

/** All other folders at the top are sources, so that a new one is not forgotten. */
const NO_SOURCES = ['bench', 'coverage', 'dist', 'docs', 'examples', 'node_modules', 'test']
const CONFIGURATION = ['package.json', 'package-lock.json', 'tsconfig.json', 'tsdown.config.ts']

/** A build takes 3 s on two cores. Longer than this no process waits for another one's. */
const PATIENCE_MS = 60_000

const isForced = process.argv.includes('--force')

try {
  if (isForced || !(await isUpToDate())) {
    await takeLock()
    // Another process may have built in the meantime.
    if (isForced || !(await isUpToDate())) await build()
  }
} catch (error) {
  console.error(error.stack)
  process.exitCode = 1
}

async function build() {
  const start = performance.now()
  const sources = await digestSources()
  // The command `tsdown` would print, on every run, that its next version needs a newer Node.
  const tsdown = await import('tsdown')
  await tsdown.build({ outDir: unfinished, logLevel: 'warn' })
  // Some errors tsdown only prints.
  if (process.exitCode) return
  await replaceDist()
  await writeFile(stampFile, JSON.stringify({ sources, output: await digestOutput() }))
  console.log(`Built dist in ${((performance.now() - start) / 1_000).toFixed(1)} s`)
}

/** Whether `dist/` is what the last build wrote, from the sources as they are now. */
async function isUpToDate() {
  try {
    const { sources, output } = JSON.parse(await readFile(stampFile, 'utf8'))
    return sources === (await digestSources()) && output === (await digestOutput())
  } catch (error) {
    if (error.code === 'ENOENT' || error instanceof SyntaxError) return false
    throw error
  }
}

async function digestSources() {
  const entries = await readdir(root, { withFileTypes: true })
  const folders = entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.') && !NO_SOURCES.includes(entry.name))
    .map(({ name }) => name)
  const files = await Promise.all(folders.map((folder) => filesIn(join(root, folder))))
  const paths = [...CONFIGURATION.map((name) => join(root, name)), ...files.flat()]
  return digest(await Promise.all(paths.map(async (path) => [path, await readFile(path, 'utf8')])))
}

async function digestOutput() {
  const describe = async (path) => {
    const { size, mtimeMs } = await stat(path)
    return [path, size, mtimeMs]
  }
  return digest(await Promise.all((await filesIn(dist)).map(describe)))
}

async function filesIn(folder) {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}

function digest(value) {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex')
}

/** Moves the finished build into place, so that no process sees half of one. */
async function replaceDist() {
  await rm(former, { recursive: true, force: true })
  await rename(dist, former).catch(ignore('ENOENT'))
  await rename(unfinished, dist)
  await rm(former, { recursive: true, force: true })
}

/** Takes the lock for as long as this process runs: after an error, tsdown may still be writing. */
async function takeLock() {
  await mkdir(cache, { recursive: true })
  const start = performance.now()
  while (!(await tryLock())) {
    if (performance.now() - start > PATIENCE_MS)
      throw new Error(`Another build has not ended. If there is none, remove ${lockFile}`)
    await sleep(100)
  }
  process.once('exit', () => rmSync(lockFile, { force: true }))
}

/** @returns whether this process holds the lock now */
async function tryLock() {
  try {
    await writeFile(lockFile, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    ignore('EEXIST')(error)
  }
  const holder = Number(await readFile(lockFile, 'utf8').catch(ignore('ENOENT')))
  // A process that was killed leaves its lock. 0 is a lock whose content is not written yet.
  if (holder > 0 && !isAlive(holder)) await rm(lockFile, { force: true })
  return false
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code !== 'ESRCH'
  }
}

function ignore(code) {
  return (error) => {
    if (error.code !== code) throw error
  }
}
