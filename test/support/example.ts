import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { built } from './built.ts'
import { scaled } from './inbox.ts'

const BOUND_MS = scaled(20_000)

/** An example that runs in a process of its own, on a free port, with the package as it was built. */
export class Example {
  readonly url: string
  readonly #child: ChildProcess
  readonly #output: Output

  private constructor(child: ChildProcess, output: Output, url: string) {
    this.#child = child
    this.#output = output
    this.url = url
  }

  static async start(name: string): Promise<Example> {
    await built()
    const path = fileURLToPath(new URL(`../../examples/${name}/server.js`, import.meta.url))
    const { HOST: _, ...env } = process.env
    const child = spawn(process.execPath, [path], { env: { ...env, PORT: '0' } })
    const output = { out: '', err: '' }
    child.stderr.on('data', (chunk) => {
      output.err += chunk
    })
    const url = await new Promise<string>((resolve, reject) => {
      const fail = (why: string) => {
        // It may have started processes of its own, which it ends then.
        child.kill('SIGTERM')
        reject(new Error(`${name} ${why}\n${output.err}`))
      }
      const timer = setTimeout(fail, BOUND_MS, 'did not say its address')
      child.once('exit', () => fail('ended')).once('exit', () => clearTimeout(timer))
      child.stdout.on('data', (chunk) => {
        output.out += chunk
        const address = /^[\w ]+: (http:\/\/\S+)\n/.exec(output.out)?.[1]
        if (address === undefined) return
        clearTimeout(timer)
        resolve(address)
      })
    })
    return new Example(child, output, url)
  }

  /** All it has written. */
  get output(): Output {
    return this.#output
  }

  /** Ends it as a deploy would. @returns its exit code, or null when it had to be killed */
  async stop(): Promise<number | null> {
    const child = this.#child
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
    const timer = setTimeout(() => child.kill('SIGKILL'), BOUND_MS)
    const closed = once(child, 'close')
    child.kill('SIGTERM')
    await closed
    clearTimeout(timer)
    return child.exitCode
  }
}

interface Output {
  readonly out: string
  readonly err: string
}
