import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { CometOptions } from '../../lib/index.ts'
import type { Measure, Task } from './app-process.ts'
import { scaled, within } from './inbox.ts'

const APP = fileURLToPath(new URL('./app-process.ts', import.meta.url))
const PATIENCE_MS = scaled(60_000)

/** An app on node:http in a process of its own. */
export interface SpawnedApp {
  readonly port: number
  ask(task: Task): Promise<Measure>
  kill(): void
  /** Stops the process, which stands still until `resume`. */
  stop(): void
  resume(): void
}

interface SpawnOptions {
  /** The address it listens on. Default: 127.0.0.1 */
  readonly address?: string
  /** The program that starts Node, with its arguments. Default: none */
  readonly by?: readonly string[]
}

export async function spawnApp(
  options: CometOptions,
  { address = '127.0.0.1', by = [] }: SpawnOptions = {},
): Promise<SpawnedApp> {
  const node = [process.execPath, '--import', 'tsx', '--expose-gc', APP, JSON.stringify(options), address]
  const [program = '', ...args] = [...by, ...node]
  const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  return {
    port: await nextMessage<number>(child, 'the port of the app'),
    ask: async (task) => {
      child.send(task)
      return await nextMessage<Measure>(child, `the answer of the app to ${task.do}`)
    },
    kill: () => {
      child.kill('SIGKILL')
    },
    stop: () => {
      child.kill('SIGSTOP')
    },
    resume: () => {
      child.kill('SIGCONT')
    },
  }
}

/** Waits for the next message of a child. Rejects when the child ends instead. */
async function nextMessage<T>(child: ChildProcess, what: string): Promise<T> {
  const next = new Promise<T>((resolve, reject) => {
    const fail = (why: unknown) => reject(new Error(`Instead of ${what}: ${why}`))
    child.once('error', fail).once('exit', fail)
    child.once('message', (message) => {
      child.off('error', fail).off('exit', fail)
      resolve(message as T)
    })
  })
  return await within(next, what, PATIENCE_MS)
}
