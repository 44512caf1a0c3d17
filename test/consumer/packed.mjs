/**
 * Checks the package as its users get it: packs it, looks at what is in it, and installs it into fresh
 * copies of the apps in this folder, which must work, exit by themselves, and compile.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { compilers } from './compilers.mjs'

const APPS = ['express4-cjs', 'express5-esm', 'koa2-cjs', 'koa3-esm', 'http2-esm']
const FILES = ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json']
const MINUTE = 60_000

const here = fileURLToPath(new URL('.', import.meta.url))
const root = fileURLToPath(new URL('../..', import.meta.url))
const temp = await mkdtemp(join(tmpdir(), 'comet-sse-'))
try {
  const tarball = await pack()
  await check('contents', () => checkContents(tarball))
  await check('publint', () => run(bin('publint'), ['--strict', tarball]))
  await check('attw', () => run(bin('attw'), [tarball]))
  await Promise.all([
    ...APPS.map((app) => check(app, () => checkApp(app, tarball))),
    check('bare-types', () => checkTypes('bare-types', tarball)),
  ])
} finally {
  await rm(temp, { recursive: true, force: true })
}

/** Says how a check went. One that fails does not keep the others from being made. */
async function check(name, body) {
  try {
    await body()
    console.log(`ok     ${name}`)
  } catch (error) {
    process.exitCode = 1
    const { message, stdout = '', killed } = error
    console.error(`FAILED ${name}${killed ? ': it took too long' : ''}\n${message}\n${stdout}`)
  }
}

/** Builds, too: that is what `prepare` does. */
async function pack() {
  await run('npm', ['pack', '--pack-destination', temp])
  const [name] = await readdir(temp)
  return join(temp, name)
}

async function checkContents(tarball) {
  const { stdout } = await run('tar', ['-tzf', tarball])
  const paths = stdout
    .trim()
    .split('\n')
    .map((path) => path.replace(/^package\//, ''))
  const others = paths.filter((path) => !/^dist\/[\w-]+(\.d)?\.[cm][jt]s$/.test(path))
  assert.deepEqual(others.sort(), FILES)
}

async function checkApp(app, tarball) {
  const cwd = await install(app, tarball)
  await run(process.execPath, ['app.js'], { cwd, timeout: MINUTE / 2 })
}

async function checkTypes(app, tarball) {
  const cwd = await install(app, tarball)
  for (const { tsc } of compilers) await run(process.execPath, [tsc, '-p', '.'], { cwd })
}

/** @returns the folder of a fresh copy of an app that has the package */
async function install(app, tarball) {
  const folder = join(temp, app)
  await cp(join(here, app), folder, { recursive: true })
  await cp(join(here, 'use-comet.mjs'), join(folder, 'use-comet.mjs'))
  await run('npm', ['install', '--no-audit', '--no-fund', tarball], { cwd: folder, timeout: 5 * MINUTE })
  return folder
}

/** @throws with what it wrote, when it fails or takes too long */
async function run(file, args, options) {
  return await promisify(execFile)(file, args, {
    cwd: root,
    timeout: MINUTE,
    killSignal: 'SIGKILL',
    ...options,
  })
}

function bin(name) {
  return join(root, 'node_modules/.bin', name)
}
