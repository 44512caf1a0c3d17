import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect as connectSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type NatsConnection, type NodeConnectionOptions } from '@nats-io/transport-node'
import { until } from './inbox.ts'
import { freePort } from './nginx.ts'
import { requireProgram } from './requirements.ts'

/** What runs. A test that fails before it stops its server must not leave it behind, nor wait for it. */
const running = new Set<ChildProcess>()

process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** How a server of a test runs. */
export interface NatsSettings {
  /** Whether it has JetStream, with its files in its folder. Default: no. */
  readonly jetstream?: boolean
  /** More lines of its file of settings. */
  readonly config?: string
}

/** A nats-server on a free port, with a folder of its own. */
export class NatsServer {
  readonly port: number
  /** Where its data is. */
  readonly folder: string
  readonly #program: string
  readonly #settings: NatsSettings
  #child: ChildProcess | undefined

  private constructor(program: string, port: number, folder: string, settings: NatsSettings) {
    this.#program = program
    this.port = port
    this.folder = folder
    this.#settings = settings
  }

  /** Where nats-server is not installed, the tests are pending. Call it in a hook or a test. */
  static async start(test: Mocha.Context, settings: NatsSettings = {}): Promise<NatsServer> {
    const program = requireProgram(test, 'nats-server', 'apt-get install nats-server')
    const folder = await mkdtemp(join(tmpdir(), 'comet-nats-'))
    const server = new NatsServer(program, await freePort(), folder, settings)
    await server.restart()
    return server
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** Starts it again on the same port, with what is in its folder. Does nothing while it runs. */
  async restart(): Promise<void> {
    if (this.#child !== undefined) return
    const file = join(this.folder, 'nats.conf')
    await writeFile(file, this.#config())
    const child = spawn(this.#program, ['-c', file], { stdio: 'ignore' })
    this.#child = child
    running.add(child)
    child.unref()
    child.once('exit', () => {
      running.delete(child)
      if (this.#child === child) this.#child = undefined
    })
    await until(async () => this.#child === undefined || (await answers(this.port)), 'a nats-server')
    if (this.#child === undefined) {
      const log = await readFile(join(this.folder, 'nats.log'), 'utf8').catch(() => '')
      throw new Error(`nats-server ended: ${log}`)
    }
  }

  #config(): string {
    const { jetstream = false, config = '' } = this.#settings
    const lines = [
      `listen: "127.0.0.1:${this.port}"`,
      `log_file: ${JSON.stringify(join(this.folder, 'nats.log'))}`,
      jetstream ? `jetstream { store_dir: ${JSON.stringify(join(this.folder, 'jetstream'))} }` : '',
      config,
    ]
    return `${lines.join('\n')}\n`
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

  /** Ends it, and removes its folder. */
  async stop(): Promise<void> {
    await this.kill()
    await rm(this.folder, { recursive: true, force: true })
  }
}

/** Tells whether a server on a port greets who connects. JetStream is there by then. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectSocket(port, '127.0.0.1')
    socket.once('data', (bytes) => {
      resolve(bytes.toString().startsWith('INFO'))
      socket.destroy()
    })
    socket.once('error', () => resolve(false))
  })
}

/** Opens a connection as an app does that gives it to a NatsBroker. */
export function connectNats(
  { url }: Pick<NatsServer, 'url'>,
  options: NodeConnectionOptions = {},
): Promise<NatsConnection> {
  return connect({
    servers: url,
    maxReconnectAttempts: -1,
    timeout: 2_000,
    reconnectTimeWait: 100,
    reconnectJitter: 20,
    ...options,
  })
}
