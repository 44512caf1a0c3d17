import { type ChildProcess, spawn } from 'node:child_process'
import net, { type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { CometOptions } from '../../lib/index.ts'
import type { Measure, Task } from './bounds-host.ts'
import { head } from './clients.ts'
import { within } from './inbox.ts'

const HOST = fileURLToPath(new URL('./bounds-host.ts', import.meta.url))
const PATIENCE_MS = 60_000

/** A Comet behind node:http in a process of its own. */
export interface BoundsHost {
  readonly port: number
  ask(task: Task): Promise<Measure>
  kill(): void
}

interface Spawned {
  /** Where it listens. */
  readonly address?: string
  /** The program that starts Node, with its arguments. */
  readonly by?: readonly string[]
}

export async function spawnHost(
  options: CometOptions,
  { address = '127.0.0.1', by = [] }: Spawned = {},
): Promise<BoundsHost> {
  const node = [process.execPath, '--import', 'tsx', '--expose-gc', HOST, JSON.stringify(options), address]
  const [program = '', ...args] = [...by, ...node]
  const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  return {
    port: await nextMessage<number>(child, 'the port of the host'),
    ask: async (task) => {
      child.send(task)
      return await nextMessage<Measure>(child, `the host's answer to ${task.do}`)
    },
    kill: () => {
      child.kill('SIGKILL')
    },
  }
}

/** The next message of a child; rejects when it ends instead. */
async function nextMessage<T>(child: ChildProcess, what: string): Promise<T> {
  const next = new Promise<T>((resolve, reject) => {
    const failed = (why: unknown) => reject(new Error(`Instead of ${what}: ${why}`))
    child.once('error', failed).once('exit', failed)
    child.once('message', (message) => {
      child.off('error', failed).off('exit', failed)
      resolve(message as T)
    })
  })
  return await within(next, what, PATIENCE_MS)
}

/** How much of a line a reader looks at: enough for an id, or the number of an event. */
const LOOK = 64

/** A reader of a stream that costs next to nothing: it looks only at how lines begin. */
export class Reader {
  readonly socket: Socket
  /** The numbers of the events, as the host gives them. */
  readonly numbers: number[] = []
  /** What a client would give as Last-Event-ID. */
  lastEventId: string | undefined
  /** The control events as they came: their data by their names. */
  readonly controls: { readonly name: string; readonly data: string }[] = []
  /** Settles when the connection is gone. */
  readonly closed: Promise<void>
  /** How many bytes came. */
  bytes = 0
  #line = ''
  #name = ''
  #id: string | undefined
  readonly #wake = new Set<() => void>()

  /** @param query of the request, `u` for the user among it */
  constructor(port: number, query: string, { address = '127.0.0.1', position = '' } = {}) {
    this.socket = net.connect({ port, host: address })
    const lines = [`GET /comet?${query} HTTP/1.1`, 'Host: x', ...(position && [`Last-Event-ID: ${position}`])]
    this.socket.write(head(...lines))
    this.socket.on('data', (bytes) => this.#read(bytes))
    // A cut is what tests are about: it shows in `closed`.
    this.socket.on('error', () => {})
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()))
    this.closed.then(() => this.#notify())
  }

  /** Settles once something of what came holds. */
  async until(holds: (reader: this) => unknown, what: string, patience = PATIENCE_MS): Promise<void> {
    const held = new Promise<void>((resolve, reject) => {
      const look = () => {
        if (holds(this)) resolve()
        else if (this.socket.closed) reject(new Error(`Not ${what}: the connection is gone`))
        else return
        this.#wake.delete(look)
      }
      this.#wake.add(look)
      look()
    })
    await within(held, what, patience)
  }

  /** Settles once the stream has begun. */
  async ready(): Promise<void> {
    await this.until(() => this.control('ready') !== undefined, 'ready')
  }

  // biome-ignore lint/suspicious/noExplicitAny: each has its own
  control(name: string): any {
    const found = this.controls.findLast((control) => control.name === `comet.${name}`)
    return found && JSON.parse(found.data)
  }

  #read(bytes: Buffer): void {
    this.bytes += bytes.length
    let at = 0
    while (at < bytes.length) {
      const end = bytes.indexOf(10, at)
      const look = this.#name === '' ? LOOK : Number.POSITIVE_INFINITY
      const to = Math.min(end < 0 ? bytes.length : end, at + look - this.#line.length)
      if (to > at) this.#line += bytes.toString('latin1', at, to)
      if (end < 0) break
      this.#take(this.#line)
      this.#line = ''
      at = end + 1
    }
    this.#notify()
  }

  #notify(): void {
    for (const wake of this.#wake) wake()
  }

  #take(line: string): void {
    if (line.startsWith('event: ')) this.#name = line.slice(7)
    else if (line.startsWith('id: ')) this.#id = line.slice(4)
    else if (!line.startsWith('data: ')) return
    else if (this.#name === '') this.numbers.push(Number.parseInt(line.slice(6), 10))
    else this.controls.push({ name: this.#name, data: line.slice(6) })
    if (!line.startsWith('data: ')) return
    this.lastEventId = this.#id ?? this.lastEventId
    this.#name = ''
    this.#id = undefined
  }
}
