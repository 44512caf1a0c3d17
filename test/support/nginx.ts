import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from './inbox.ts'

/** A port of 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** An nginx with files of its own, in one process. */
export class Nginx {
  readonly #child: ChildProcess
  readonly #folder: string
  readonly #exited: Promise<unknown>

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child
    this.#folder = folder
    this.#exited = once(child, 'exit')
  }

  /**
   * @param program the path of nginx
   * @param http what stands in the block `http`
   * @param port one that it listens on
   * @param files files beside its configuration, by name
   */
  static async start(
    program: string,
    http: string,
    port: number,
    files: Readonly<Record<string, string | Buffer>> = {},
  ): Promise<Nginx> {
    const folder = await mkdtemp(join(tmpdir(), 'comet-nginx-'))
    await mkdir(join(folder, 'temp'))
    const all = { ...files, 'nginx.conf': configuration(http) }
    for (const [name, content] of Object.entries(all)) await writeFile(join(folder, name), content)
    const args = ['-p', folder, '-e', join(folder, 'error.log'), '-c', join(folder, 'nginx.conf')]
    const nginx = new Nginx(spawn(program, args, { stdio: 'ignore' }), folder)
    const isUp = async () => nginx.#hasEnded || (await accepts(port))
    try {
      await until(isUp, 'a port that nginx listens on')
      if (nginx.#hasEnded) throw new Error('nginx ended')
    } catch (error) {
      const log = await readFile(join(folder, 'error.log'), 'utf8').catch(() => '')
      await nginx.stop()
      throw new Error(`${error}\n${log}`)
    }
    return nginx
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  async stop(): Promise<void> {
    if (!this.#hasEnded) this.#child.kill('SIGKILL')
    await this.#exited
    await rm(this.#folder, { recursive: true, force: true })
  }
}

const configuration = (http: string) => `
daemon off;
master_process off;
pid nginx.pid;
events { worker_connections 200; }
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((each) => `${each}_temp_path temp/${each};`).join('\n  ')}
  ${http}
}
`

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
