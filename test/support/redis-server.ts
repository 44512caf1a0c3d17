import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from './inbox.ts'
import { freePort } from './nginx.ts'
import { requireProgram } from './requirements.ts'

/** What runs. A test that fails before it stops its server must not leave it behind, nor wait for it. */
const running = new Set<ChildProcess>()

process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** How a server of a test keeps its data. */
export interface RedisSettings {
  /** Appends each write to a file, so that a restart has all of it. Default: nothing is stored on disk. */
  readonly appendOnly?: boolean
  /** More arguments, such as `['--maxmemory', '10mb']`. */
  readonly args?: readonly string[]
  /** The lines of its file of settings. It is a Sentinel then, and stores nothing. */
  readonly sentinel?: readonly string[]
}

/** A redis-server on a free port, with a folder of its own. */
export class RedisServer {
  readonly port: number
  /** Where its data is. */
  readonly folder: string
  readonly #program: string
  readonly #settings: RedisSettings
  #child: ChildProcess | undefined

  private constructor(program: string, port: number, folder: string, settings: RedisSettings) {
    this.#program = program
    this.port = port
    this.folder = folder
    this.#settings = settings
  }

  /**
   * Where redis-server is not installed, the tests are pending. The environment's COMET_TEST_REDIS_SERVER is the path of
   * another program to test with, such as of a valkey-server. Call it in a hook or a test.
   */
  static async start(test: Mocha.Context, settings: RedisSettings = {}): Promise<RedisServer> {
    const program =
      process.env.COMET_TEST_REDIS_SERVER ||
      requireProgram(test, 'redis-server', 'apt-get install redis-server')
    const folder = await mkdtemp(join(tmpdir(), 'comet-redis-'))
    const server = new RedisServer(program, await freePort(), folder, settings)
    await server.restart()
    return server
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** Starts it again on the same port, with what is in its folder. Does nothing while it runs. */
  async restart(): Promise<void> {
    if (this.#child !== undefined) return
    const child = spawn(this.#program, await this.#arguments(), { stdio: 'ignore' })
    this.#child = child
    running.add(child)
    child.unref()
    child.once('exit', () => {
      running.delete(child)
      if (this.#child === child) this.#child = undefined
    })
    await until(async () => this.#child === undefined || (await answers(this.port)), 'a redis-server')
    if (this.#child === undefined) {
      const log = await readFile(join(this.folder, 'redis.log'), 'utf8').catch(() => '')
      throw new Error(`redis-server ended: ${log}`)
    }
  }

  async #arguments(): Promise<string[]> {
    const { appendOnly = false, args = [], sentinel } = this.#settings
    const common = [
      '--port',
      String(this.port),
      '--bind',
      '127.0.0.1',
      '--dir',
      this.folder,
      '--daemonize',
      'no',
    ]
    const log = ['--loglevel', 'warning', '--logfile', join(this.folder, 'redis.log')]
    if (sentinel !== undefined) {
      // A Sentinel writes to the file, too.
      const file = join(this.folder, 'sentinel.conf')
      await writeFile(file, `${sentinel.join('\n')}\n`)
      return [file, '--sentinel', ...common, ...log]
    }
    const disk = ['--save', '', '--appendonly', appendOnly ? 'yes' : 'no', '--appendfsync', 'always']
    return [...common, ...log, ...disk, ...args]
  }

  /** Ends it at once, as a crash does. What is in its folder stays. */
  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    const ended = once(child, 'exit')
    child.ref()
    child.kill('SIGKILL')
    await ended
  }

  /** Stops it from running, so that it answers nothing and accepts connections all the same. See {@link resume}. */
  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  /** Removes all data. */
  async flush(): Promise<void> {
    const socket = connect(this.port, '127.0.0.1', () => socket.write('FLUSHALL\r\n'))
    await once(socket, 'data')
    socket.destroy()
  }

  /** Ends it, and removes its folder. */
  async stop(): Promise<void> {
    await this.kill()
    await rm(this.folder, { recursive: true, force: true })
  }
}

/** Tells whether a server on a port is ready for commands. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'))
    socket.once('data', (bytes) => {
      resolve(!bytes.toString().startsWith('-LOADING'))
      socket.destroy()
    })
    socket.once('error', () => resolve(false))
  })
}
