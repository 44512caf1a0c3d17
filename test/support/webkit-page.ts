import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { EnginePage } from './engines.ts'
import { scaled, until, within } from './inbox.ts'
import { requireProgram } from './requirements.ts'

const INSTALL = 'apt-get install webkit2gtk-driver xvfb'

/** How long a program may take to start or to answer: a browser needs 20 s when all cores are busy. */
const PATIENCE_MS = scaled(60_000)

/** Opens a page in WebKitGTK's own browser, by the WebDriver protocol (W3C), on a screen in memory. */
export async function openWebKitPage(test: Mocha.Context): Promise<EnginePage> {
  const driver = requireProgram(test, 'WebKitWebDriver', INSTALL)
  const xvfb = requireProgram(test, 'Xvfb', INSTALL)
  const home = await mkdtemp(join(tmpdir(), 'comet-webkit-'))
  const children: ChildProcess[] = []
  const close = async () => {
    for (const child of children) await end(child)
    await rm(home, { recursive: true, force: true })
  }
  try {
    const screen = start(xvfb, ['-displayfd', '3', '-nolisten', 'tcp', '-screen', '0', '800x600x24'], {
      home,
    })
    children.unshift(screen)
    const display = await within(firstLineOf(screen), 'Xvfb', PATIENCE_MS)
    const port = await freePort()
    children.unshift(start(driver, [`--port=${port}`], { home, display }))
    const session = await Session.start(`http://127.0.0.1:${port}`)
    return {
      goto: (url) => session.send('url', { url }),
      evaluate: (script) => session.send('execute/sync', { script: `return ${script}`, args: [] }),
      close: async () => {
        await session.end().catch(() => {})
        await close()
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

class Session {
  readonly #url: string

  private constructor(url: string) {
    this.#url = url
  }

  static async start(driver: string): Promise<Session> {
    await until(() => isReady(driver), 'ready: WebKitWebDriver', PATIENCE_MS)
    const options = { 'webkitgtk:browserOptions': { binary: browserPath(), args: ['--automation'] } }
    const { sessionId } = (await post(`${driver}/session`, { capabilities: { alwaysMatch: options } })) as {
      sessionId: string
    }
    return new Session(`${driver}/session/${sessionId}`)
  }

  async send(command: string, body: object): Promise<unknown> {
    return await post(`${this.#url}/${command}`, body)
  }

  async end(): Promise<void> {
    await fetch(this.#url, { method: 'DELETE', signal: AbortSignal.timeout(PATIENCE_MS) })
  }
}

async function post(url: string, body: object): Promise<unknown> {
  const headers = { 'Content-Type': 'application/json' }
  const signal = AbortSignal.timeout(PATIENCE_MS)
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body), signal })
  const { value } = (await answer.json()) as { value: unknown }
  if (!answer.ok) throw new Error(`WebDriver: ${JSON.stringify(value)}`)
  return value
}

async function isReady(driver: string): Promise<boolean> {
  try {
    return (await fetch(`${driver}/status`)).ok
  } catch {
    return false
  }
}

/** Debian has it in a folder of the architecture and the version, and not on the PATH. */
function browserPath(): string {
  for (const base of readdirSync('/usr/lib').map((name) => join('/usr/lib', name))) {
    const folders = existsSync(base) && base.endsWith('-gnu') ? readdirSync(base) : []
    for (const folder of folders.filter((name) => name.startsWith('webkit2gtk-')).toReversed()) {
      const path = join(base, folder, 'MiniBrowser')
      if (existsSync(path)) return path
    }
  }
  throw new Error(`WebKitGTK's MiniBrowser is not below /usr/lib. Install it: ${INSTALL}`)
}

/** Starts a program. Its file descriptor 3 is a pipe. */
function start(program: string, args: string[], env: { home: string; display?: string }): ChildProcess {
  const child = spawn(program, args, {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    env: {
      PATH: process.env.PATH,
      HOME: env.home,
      TMPDIR: env.home,
      XDG_RUNTIME_DIR: env.home,
      ...(env.display === undefined ? {} : { DISPLAY: `:${env.display}` }),
      // Root has no sandbox of bubblewrap, and a machine without a bus or a graphics card needs none of the two.
      WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1',
      WEBKIT_DISABLE_COMPOSITING_MODE: '1',
      LIBGL_ALWAYS_SOFTWARE: '1',
      NO_AT_BRIDGE: '1',
      GIO_USE_VFS: 'local',
      GSETTINGS_BACKEND: 'memory',
      GTK_USE_PORTAL: '0',
    },
  })
  // A run that ends early leaves nothing behind.
  process.once('exit', () => child.kill())
  return child
}

async function firstLineOf({ stdio }: ChildProcess): Promise<string> {
  const [bytes] = await once(stdio[3] as Readable, 'data')
  return String(bytes).trim()
}

/** Ends a program. The browser ends with its screen, in case that the driver could not end it. */
async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  // By its own hand, Xvfb removes its lock.
  child.kill()
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
  await gone
  clearTimeout(timer)
}

async function freePort(): Promise<number> {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
