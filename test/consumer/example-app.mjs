/** Programs of the framework examples: installed and built in a folder of their own, run on a free port. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { scaled, until } from './lobby-client.mjs'

const MINUTE = 60_000

/** What a copy leaves out: what npm and the examples have made. */
const MADE = /(^|\/)(node_modules|dist|\.next|next-env\.d\.ts)$/

/** The programs that run. None outlives this process. */
const running = new Set()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Nothing of this environment changes what an example does. */
const { HOST: _, NODE_ENV: __, ...ENV } = process.env
const env = { ...ENV, NEXT_TELEMETRY_DISABLED: '1', PM2_DISABLE_VERSION_CHECK: 'true' }

/** @throws with what it wrote, when it fails or takes too long */
export async function run(file, args, options = {}) {
  const { env: own, ...others } = options
  return await promisify(execFile)(file, args, {
    timeout: 5 * MINUTE,
    killSignal: 'SIGKILL',
    ...others,
    env: { ...env, ...own },
  })
}

/** Copies an example, installs it by its lockfile, with a tarball in place of the published package, and builds it. */
export async function install(source, folder, tarball) {
  await cp(source, folder, { recursive: true, filter: (path) => !MADE.test(path.slice(source.length)) })
  await run('npm', ['install', '--no-audit', '--no-fund', tarball], { cwd: folder })
  const { scripts } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
  if ('build' in scripts) await run('npm', ['run', 'build'], { cwd: folder })
}

/** @returns a port that was free a moment ago */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

/** A process of an example. */
export class Program {
  output = ''
  url
  #child
  #exited

  /** Runs an npm script of an example, without npm between: a signal must reach the program itself. */
  static async start(folder, script, { port, args = [], env: own = {} }) {
    const { scripts } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
    const [command, ...words] = scripts[script].split(' ')
    const PATH = join(folder, 'node_modules/.bin') + delimiter + env.PATH
    const child = spawn(command, [...words, ...args], {
      cwd: folder,
      env: { ...env, ...own, PATH, PORT: String(port) },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const program = new Program(child, `http://127.0.0.1:${port}`)
    try {
      await until(
        () => program.#hasEnded || answers(program.url),
        'The program does not answer',
        scaled(60_000),
      )
      if (program.#hasEnded) throw new Error('The program ended')
    } catch (error) {
      await program.kill()
      throw new Error(`${error.message}\n${program.output}`)
    }
    return program
  }

  constructor(child, url) {
    this.#child = child
    this.url = url
    this.#exited = once(child, 'exit')
    running.add(child)
    child.once('exit', () => running.delete(child))
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        this.output += chunk
      })
    }
  }

  get #hasEnded() {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** Ends it as a deploy would. @throws when it has to be killed */
  async stop(patience = scaled(15_000)) {
    this.#child.kill('SIGTERM')
    try {
      await until(
        () => this.#hasEnded,
        () => `It goes on after SIGTERM\n${this.output}`,
        patience,
      )
    } finally {
      await this.kill()
    }
  }

  async kill() {
    if (!this.#hasEnded) this.#child.kill('SIGKILL')
    await this.#exited
  }
}

export async function answers(url) {
  const signal = AbortSignal.timeout(scaled(30_000))
  return await fetch(url, { signal }).then(
    (response) => response.arrayBuffer().then(() => true),
    () => false,
  )
}
