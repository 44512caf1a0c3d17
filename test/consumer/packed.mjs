/**
 * Checks the package as its users get it: packs it, looks at what is in it, and installs it into fresh
 * copies of the apps in this folder, which must work, exit by themselves, and compile.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { compilers } from './compilers.mjs'
import { brokenLinks } from './links.mjs'

const APPS = ['express4-cjs', 'express5-esm', 'koa2-cjs', 'koa3-esm', 'http2-esm']
const FILES = ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json']
const FOLDERS = [
  /^dist\/[\w-]+(\.d)?\.[cm][jt]s$/,
  /^dist\/client\.min\.js$/,
  /^docs\/.+\.(md|png|svg|proto)$/,
  /^examples\/(?!.*(node_modules|dist|\.next)\/)(?!.*package-lock).+\.(md|html|css|c?js|tsx?|json)$/,
]
/** The scripts that npm runs, or warns about, where the package is installed. */
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall', 'prepare']
const MINUTE = 60_000

const here = fileURLToPath(new URL('.', import.meta.url))
const root = fileURLToPath(new URL('../..', import.meta.url))
const temp = await mkdtemp(join(tmpdir(), 'comet-sse-'))
try {
  const tarball = await pack()
  const contents = await unpack(tarball)
  await check('contents', () => checkContents(contents))
  await check('links', async () => assert.deepEqual(await brokenLinks(contents), []))
  await check('scripts', () => checkScripts(contents))
  await check('publint', () => run(bin('publint'), ['--strict', tarball]))
  // A file for pages, which no program imports by its types.
  await check('attw', () => run(bin('attw'), ['--exclude-entrypoints', 'client.min.js', '--', tarball]))
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

/** Builds, too: `npm pack` runs `prepack`. */
async function pack() {
  await run('npm', ['pack', '--pack-destination', temp])
  const [name] = await readdir(temp)
  return join(temp, name)
}

/** @returns the folder with what is in the tarball */
async function unpack(tarball) {
  await run('tar', ['-xzf', tarball, '-C', temp])
  return join(temp, 'package')
}

async function checkContents(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
  for (const pattern of FOLDERS) assert.ok(paths.some((path) => pattern.test(path)))
  const others = paths.filter((path) => !FOLDERS.some((pattern) => pattern.test(path)))
  assert.deepEqual(others.sort(), FILES)
}

async function checkScripts(folder) {
  const { scripts } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
  assert.deepEqual(
    INSTALL_SCRIPTS.filter((name) => name in scripts),
    [],
  )
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
