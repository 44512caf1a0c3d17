import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { CometOptions } from '../../lib/index.ts'
import { scaled, within } from '../support/inbox.ts'
import { ClusterNode, codeOf, type Ports, type Task } from './cluster-node.ts'
import type { NodeSettings, Question, Word } from './node-process.ts'
import { type ObservedNode, type Report, timeNow } from './observations.ts'

const PROGRAM = fileURLToPath(new URL('./node-process.ts', import.meta.url))
const PATIENCE_MS = scaled(30_000)

/** Ended with this process, also those that stand still: they would not notice its end. */
const children = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

/** A node as the test sees it: in this process or in one of its own. */
export interface NodeHandle extends ObservedNode {
  readonly log: Report[]
  readonly port: number
  /** Rejects with a {@link TaskError}. */
  ask(task: Task): Promise<unknown>
  /** Ends it as it should. */
  close(): Promise<void>
}

/** What is known of a node by now. */
export function observed({ name, activity, log, killedAt }: ObservedNode): ObservedNode {
  return { name, activity, log: Array.from(log), killedAt }
}

/** A task failed. */
export class TaskError extends Error {
  /** The code of a CometError, or `GONE`: the process has ended. */
  readonly code: string

  constructor(task: Task, code: string) {
    super(`${task.do} failed: ${code}`)
    this.code = code
  }
}

/** Starts a node in this process. */
export async function memoryNode(name: string, ports: Ports, options: CometOptions): Promise<NodeHandle> {
  const log: Report[] = []
  const node = new ClusterNode(ports, options, (report) => log.push(report))
  return {
    name,
    log,
    activity: options.activity ?? 'local',
    killedAt: undefined,
    port: await node.listen(),
    ask: (task) => node.do(task).catch((error) => Promise.reject(new TaskError(task, codeOf(error)))),
    close: async () => void (await node.do({ do: 'close' })),
  }
}

/** A node in a process of its own. */
export class NodeProcess implements NodeHandle {
  readonly name: string
  readonly activity: 'local' | 'cluster'
  readonly log: Report[] = []
  port = 0
  killedAt: number | undefined
  readonly #child: ChildProcess
  readonly #answers = new Map<number, (word: Word & { is: 'answer' }) => void>()
  #asked = 0
  #listening: (port: number) => void = () => {}

  private constructor(name: string, settings: NodeSettings) {
    this.name = name
    this.activity = settings.options.activity ?? 'local'
    const args = ['--import', 'tsx', PROGRAM, JSON.stringify(settings)]
    this.#child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    // A test that fails before it ends the node must not wait for it.
    this.#child.unref()
    this.#child.channel?.unref()
    children.add(this.#child)
    this.#child.on('message', (word: Word) => this.#take(word))
    this.#child.on('error', () => {})
    this.#child.once('exit', () => {
      children.delete(this.#child)
      this.killedAt ??= timeNow()
      for (const answer of this.#answers.values()) answer({ is: 'answer', id: 0, code: 'GONE' })
    })
  }

  static async start(name: string, settings: NodeSettings): Promise<NodeProcess> {
    const node = new NodeProcess(name, settings)
    const listening = new Promise<number>((resolve, reject) => {
      node.#listening = resolve
      node.#child.once('exit', (code) => reject(new Error(`${name} ended with ${code}`)))
    })
    node.port = await within(listening, `the start of ${name}`, PATIENCE_MS)
    return node
  }

  async ask(task: Task): Promise<unknown> {
    this.#asked += 1
    const id = this.#asked
    if (!this.#child.connected) throw new TaskError(task, 'GONE')
    const answer = new Promise<Word & { is: 'answer' }>((resolve) => this.#answers.set(id, resolve))
    this.#child.send({ id, task } satisfies Question, () => {})
    const { code, value } = await within(answer, `the answer of ${this.name} to ${task.do}`, PATIENCE_MS)
    this.#answers.delete(id)
    if (code !== undefined) throw new TaskError(task, code)
    return value
  }

  /** Ends it at once, as a crash does. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.killedAt = timeNow()
    this.#child.kill('SIGKILL')
    await ended
  }

  /** Lets it stand still until {@link resume}. */
  stop(): void {
    this.#child.kill('SIGSTOP')
  }

  resume(): void {
    this.#child.kill('SIGCONT')
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    await this.ask({ do: 'close' }).catch(() => this.kill())
    await within(ended, `the end of ${this.name}`, PATIENCE_MS).catch(() => this.kill())
  }

  #take(word: Word): void {
    if (word.is === 'listening') this.#listening(word.port)
    else if (word.is === 'answer') this.#answers.get(word.id)?.(word)
    else this.log.push(...word.reports)
  }
}
