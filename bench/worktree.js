import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../', import.meta.url))

/** Exit codes after a signal are 128 plus its number. @type {[NodeJS.Signals, number][]} */
const SIGNALS = [
  ['SIGHUP', 129],
  ['SIGINT', 130],
  ['SIGTERM', 143],
]

/**
 * Two builds of the package, each in a folder with package.json, dist and node_modules.
 *
 * @typedef {object} Builds
 * @property {string} before the folder of the commit's build
 * @property {string} now the folder of this tree's build
 * @property {string} title the commit, as `git log --oneline` shows it
 */

/**
 * Builds a commit in a worktree of its own, and copies this tree's build, so that work in this tree can go on meanwhile.
 * Both are removed when this process exits, also by a signal or an error.
 *
 * @param {string} commit anything that names a commit
 * @returns {Builds}
 * @throws when there is no such commit, or it cannot be built: with what git, npm or the build printed
 */
export function buildBoth(commit) {
  const hash = hashOf(commit)
  const folder = mkdtempSync(join(tmpdir(), 'comet-bench-'))
  const [before, now] = [join(folder, 'before'), join(folder, 'now')]
  process.once('exit', () => remove(folder, before))
  for (const [signal, code] of SIGNALS) process.once(signal, () => process.exit(code))

  mkdirSync(now)
  cpSync(join(ROOT, 'package.json'), join(now, 'package.json'))
  cpSync(join(ROOT, 'dist'), join(now, 'dist'), { recursive: true })
  linkModules(now)

  run('git', ['worktree', 'add', '--detach', before, hash])
  if (hasSameModules(before)) linkModules(before)
  else run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], before)
  run('npm', ['run', 'build'], before)
  return { before, now, title: run('git', ['log', '-1', '--format=%h %s', hash]).trim() }
}

/** @param {string} commit @returns {string} */
function hashOf(commit) {
  try {
    return run('git', ['rev-parse', '--verify', '--end-of-options', `${commit}^{commit}`]).trim()
  } catch {
    throw new Error(`There is no commit ${commit}.`)
  }
}

/** Whether the commit's lockfile is this tree's, so that node_modules can be shared. @param {string} before */
function hasSameModules(before) {
  /** @param {string} folder */
  const lockfile = (folder) => readFileSync(join(folder, 'package-lock.json'), 'utf8')
  return existsSync(join(ROOT, 'node_modules')) && lockfile(before) === lockfile(ROOT)
}

/**
 * Gives a folder this tree's packages. The folder itself is no link, because builds keep a cache in it.
 *
 * @param {string} folder
 */
function linkModules(folder) {
  const [source, target] = [join(ROOT, 'node_modules'), join(folder, 'node_modules')]
  mkdirSync(target)
  for (const name of readdirSync(source)) {
    if (name !== '.cache') symlinkSync(join(source, name), join(target, name))
  }
}

/** Removes the worktree, and all else in the folder. @param {string} folder @param {string} before */
function remove(folder, before) {
  try {
    // The second --force removes also a worktree that git was still adding, which it has locked.
    if (existsSync(before)) run('git', ['worktree', 'remove', '--force', '--force', before])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * Runs a program to its end. This blocks the event loop on purpose: a signal is then handled after the program has
 * ended, and nothing writes to a folder that is being removed.
 *
 * @param {string} file @param {string[]} args
 * @returns {string} what it printed
 * @throws with what it printed, when it fails
 */
function run(file, args, cwd = ROOT) {
  try {
    return execFileSync(file, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  } catch (error) {
    const { stdout = '', stderr = '' } = /** @type {{ stdout?: string, stderr?: string }} */ (error)
    throw new Error(`${file} ${args.join(' ')} failed.\n${stdout}${stderr}`.trim())
  }
}
