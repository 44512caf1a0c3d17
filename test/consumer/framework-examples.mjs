/**
 * Checks the examples that have packages of their own, as their users get them: packs this package, installs each
 * example with it, builds it, runs it, and lets two users meet in it. `node … framework-examples.mjs nestjs` checks one.
 */
import { deepEqual, equal, match } from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { launchBrowser } from '../support/browser.ts'
import { answers, freePort, install, Program, run } from './example-app.mjs'
import { LobbyClient, meet, scaled, until } from './lobby-client.mjs'

const EXAMPLES = { nestjs: checkNest, nextjs: checkNext, 'vite-react': checkVite, pm2: checkPm2 }

const root = fileURLToPath(new URL('../..', import.meta.url))
const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(EXAMPLES)
const temp = await mkdtemp(join(tmpdir(), 'comet-examples-'))
// Ends the programs, too.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
let passed = 0
let failed = 0
try {
  // Builds, too: `npm pack` runs `prepack`.
  await run('npm', ['pack', '--pack-destination', temp], { cwd: root })
  const [tarball] = await readdir(temp)
  // One after the other: two builds would take all of a small machine.
  for (const name of wanted) await check(name, join(temp, tarball))
} finally {
  await rm(temp, { recursive: true, force: true })
}
console.log(`examples: ${passed} passed, ${failed} failed`)
if (failed > 0) process.exitCode = 1

/** Checks an example, and says how it went. One that fails does not keep the others from being checked. */
async function check(name, tarball) {
  const start = performance.now()
  try {
    const folder = join(temp, name)
    await install(join(root, 'examples', name), folder, tarball)
    await EXAMPLES[name](folder)
    passed += 1
    console.log(`ok     ${name} (${Math.round((performance.now() - start) / 1_000)} s)`)
  } catch (error) {
    failed += 1
    const { stack, stdout = '', stderr = '' } = error
    console.error(`FAILED ${name}\n${stack}\n${stdout}${stderr}`)
  }
}

/** Runs an example from its start to its end at SIGTERM, with two users in its lobby. */
async function useLobby(folder, mount, then) {
  const program = await Program.start(folder, 'start', { port: await freePort() })
  try {
    const { url } = program
    equal((await fetch(url)).status, 200)
    equal((await fetch(`${url}${mount}`)).status, 401)
    await meet(url + mount, async (ada, bob) => {
      await then?.(program, ada, bob)
      await program.stop()
      for (const each of [ada, bob]) equal((await each.next('comet.close')).code, 'SHUTDOWN')
    })
  } finally {
    await program.kill()
  }
}

async function checkNest(folder) {
  await useLobby(folder, '/comet', async ({ url }, ada) => {
    deepEqual(await ada.next('came', 2), { name: 'bob' })
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`${url}/notice`, { method: 'POST', headers, body: '{"text":"tea"}' })
    equal(response.status, 204)
    deepEqual(await ada.next('notice'), { text: 'tea' })
  })
}

async function checkNext(folder) {
  await useLobby(folder, '/api/comet', async ({ url }, ada) => {
    // A page that the server renders shows the users that are in the lobby.
    const page = await (await fetch(url, { headers: ada.headers })).text()
    match(page, /<span id="names">ada, bob<\/span>/)
  })
  await inDevelopment(folder, '/api/comet')
}

async function checkVite(folder) {
  await useLobby(folder, '/comet', ({ url }) => useBuiltPage(url))
  const port = await freePort()
  let api = await Program.start(folder, 'start', { port })
  try {
    await inDevelopment(folder, '/comet', { env: { API: api.url }, args: viteArgs }, async (mount) => {
      const ada = new LobbyClient(mount, 'ada')
      try {
        await ada.next('comet.ready')
        await api.stop()
        // The EventSource finds no API, more than once, and goes on trying.
        await ada.next('comet.close')
        let attempts = 0
        ada.onError(() => {
          attempts += 1
        })
        await until(() => attempts >= 2, 'The page does not try again while the API is away')
        api = await Program.start(folder, 'start', { port })
        await ada.next('comet.ready', 2)
        equal(await ada.send('say', { text: 'again' }), 204)
        deepEqual(await ada.next('said'), { name: 'ada', text: 'again' })
      } finally {
        ada.close()
      }
    })
  } finally {
    await api.kill()
  }
}

function viteArgs(port) {
  return ['--host', '127.0.0.1', '--port', String(port), '--strictPort']
}

/** Lets two users meet behind the development server. */
async function inDevelopment(folder, mount, { env = {}, args = () => [] } = {}, then = async () => {}) {
  const port = await freePort()
  const program = await Program.start(folder, 'dev', { port, args: args(port), env })
  try {
    await meet(program.url + mount)
    await then(program.url + mount)
    await program.stop()
  } finally {
    await program.kill()
  }
}

async function useBuiltPage(url) {
  const browser = await launchBrowser({ skip: () => undefined })
  // Where there is none, the run ends with a line that says what to install. In CI it has failed.
  if (browser === undefined) return
  try {
    const page = await browser.newPage()
    await page.goto(`${url}/?name=carol`)
    await page.getByText('Connected.').waitFor({ timeout: scaled(15_000) })
    await page.getByLabel('Text').fill('from the page')
    await page.getByRole('button', { name: 'Say' }).click()
    await page.getByText('carol: from the page').waitFor({ timeout: scaled(15_000) })
  } finally {
    await browser.close()
  }
}

async function checkPm2(folder) {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const home = join(temp, 'pm2')
  const pm2 = (...args) =>
    run(join(folder, 'node_modules/.bin/pm2'), args, {
      cwd: folder,
      env: { PM2_HOME: home, PORT: String(port) },
    })
  const log = async () => {
    const logs = join(home, 'logs')
    const files = await readdir(logs)
    return (await Promise.all(files.map((file) => readFile(join(logs, file), 'utf8')))).join('')
  }
  try {
    await pm2('start', 'ecosystem.config.cjs')
    await until(() => answers(url), 'The program does not answer')
    await meet(`${url}/comet`, async (ada, bob) => {
      await pm2('restart', 'lobby')
      for (const each of [ada, bob]) {
        equal((await each.next('comet.close')).code, 'SHUTDOWN')
        await each.next('comet.ready', 2)
      }
      equal(await bob.send('say', { text: 'again' }), 204)
      deepEqual(await ada.next('said', 2), { name: 'bob', text: 'again' })
    })
    equal((await log()).includes('COMET_WORKERS'), false)
    await pm2('delete', 'lobby')
    // Why the example runs one process.
    await pm2('start', 'server.js', '--name', 'workers', '-i', '2')
    await until(async () => (await log()).includes('COMET_WORKERS'), 'Two workers cause no warning')
  } finally {
    const pid = Number(await readFile(join(home, 'pm2.pid'), 'utf8').catch(() => Number.NaN))
    await pm2('kill').catch(() => pid > 0 && process.kill(pid, 'SIGKILL'))
  }
}
