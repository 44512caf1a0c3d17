import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import ts from 'typescript'
import { built } from './built.ts'
import { type Block, fileOf, ROOT, readBlocks } from './doc-blocks.ts'
import { scaled, until } from './inbox.ts'

const BOUND_MS = scaled(10_000)

/** The port in the programs of the docs. */
const PORT = /\b3000\b/g

/** The blocks of one program: those of a page with the same group in their marks. */
export interface ProgramText {
  readonly page: string
  readonly group: string
  readonly blocks: readonly Block[]
}

/** The marked programs of a page, by the order of their first blocks. */
export function programsOf(page: string, blocks: readonly Block[] = readBlocks(page)): ProgramText[] {
  const groups = new Map<string, Block[]>()
  for (const block of blocks) {
    if (block.mark === undefined || block.mark.verb === 'not checked') continue
    for (const group of block.mark.group.split(',')) {
      const own = groups.get(group) ?? []
      groups.set(group, own)
      own.push(block)
    }
  }
  return Array.from(groups, ([group, blocks]) => ({ page, group, blocks }))
}

/** @throws Error when the page has no such program */
export function programOf(page: string, group: string): ProgramText {
  const found = programsOf(page).find((each) => each.group === group)
  if (found === undefined) throw new Error(`${page} has no block with the mark \`<!-- run: ${group} -->\``)
  return found
}

/**
 * A program of the docs, in a folder of its own, where the packages that it names are those of the repository and
 * `comet-sse` is the package as it was built. Only the port 3000 is another one.
 */
export class DocProgram {
  readonly text: ProgramText
  readonly folder: string
  readonly port: number
  /** What the server has written. */
  readonly output: Output = { out: '', err: '' }
  #child: ChildProcess | undefined

  private constructor(text: ProgramText, folder: string, port: number) {
    this.text = text
    this.folder = folder
    this.port = port
  }

  /** Writes the program's files. */
  static async create(text: ProgramText): Promise<DocProgram> {
    await built()
    const folder = await mkdtemp(join(tmpdir(), 'comet-doc-'))
    const program = new DocProgram(text, folder, await freePort())
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }\n')
    for (const block of text.blocks) {
      const file = fileOf(block)
      if (file === undefined) continue
      await mkdir(dirname(join(folder, file)), { recursive: true })
      await writeFile(join(folder, file), program.here(block.code))
      for (const name of packagesOf(block.code)) await link(folder, name)
    }
    return program
  }

  /** Writes the program's files, and runs it. */
  static async start(text: ProgramText): Promise<DocProgram> {
    const program = await DocProgram.create(text)
    try {
      await program.start()
      return program
    } catch (error) {
      await program.remove()
      throw error
    }
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** A text of the docs with the port that the program has here. */
  here(text: string): string {
    return text.replace(PORT, String(this.port))
  }

  /** Runs the block with the mark `run`. Settles when it listens. It may be called again after {@link stop}. */
  async start(): Promise<void> {
    const block = this.text.blocks.find(({ mark }) => mark?.verb === 'run')
    const child = this.#spawn(this.output, process.execPath, [fileOf(block as Block) as string])
    this.#child = child
    const ended = () => child.exitCode !== null || child.signalCode !== null
    const what = () => `listening: ${this.text.page}, ${this.text.group}\n${this.output.err}`
    await until(async () => ended() || (await answers(this.port)), what, BOUND_MS)
    if (ended()) throw new Error(`Ended instead of ${what()}`)
  }

  /** Ends the server as a deploy would. @returns its exit code, or null when it has no handler of SIGTERM */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined) return null
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
    const timer = setTimeout(() => child.kill('SIGKILL'), BOUND_MS)
    const closed = once(child, 'close')
    child.kill(signal)
    await closed
    clearTimeout(timer)
    return child.exitCode
  }

  /** Stops its process, as a network does that loses its packets: its connections stay, and nothing comes. */
  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  /** Runs a file of the program with `node --test`. */
  async test(file: string): Promise<Result> {
    return await this.#run(process.execPath, ['--test', file])
  }

  /** Runs another file in the folder until it ends. */
  async run(file: string): Promise<Result> {
    return await this.#run(process.execPath, [file])
  }

  /** Runs the commands of the block with the mark `try` in a shell; nothing, where there is none. */
  async try(): Promise<Result> {
    const block = this.text.blocks.find(({ mark }) => mark?.verb === 'try')
    return await this.#run('bash', ['-e', '-c', this.here(block?.code ?? '')])
  }

  /** Ends the server, and removes the folder. */
  async remove(): Promise<void> {
    await this.stop('SIGKILL')
    await rm(this.folder, { recursive: true, force: true })
  }

  async #run(command: string, args: readonly string[]): Promise<Result> {
    const output = { out: '', err: '' }
    const child = this.#spawn(output, command, args)
    const timer = setTimeout(() => child.kill('SIGKILL'), scaled(30_000))
    const [code] = await once(child, 'close')
    clearTimeout(timer)
    return { code, ...output }
  }

  #spawn(output: Output, command: string, args: readonly string[]): ChildProcess {
    // A test that `node --test` runs here must not report to a runner of this process.
    const { NODE_TEST_CONTEXT: _, NODE_OPTIONS: __, ...env } = process.env
    const child = spawn(command, args, { cwd: this.folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.on('data', (piece) => {
      output.out += piece
    })
    child.stderr.on('data', (piece) => {
      output.err += piece
    })
    return child
  }
}

interface Output {
  out: string
  err: string
}

/** What a command has written, and its exit code: null when it took too long. */
interface Result extends Output {
  readonly code: number | null
}

/** The packages that a script imports or requires. */
function packagesOf(code: string): Set<string> {
  const { importedFiles } = ts.preProcessFile(code, true, true)
  const names = importedFiles.map(({ fileName }) => fileName)
  const foreign = names.filter((name) => /^(@|\w)/.test(name) && !name.startsWith('node:'))
  return new Set(foreign.map((name) => name.split('/', name.startsWith('@') ? 2 : 1).join('/')))
}

async function link(folder: string, name: string): Promise<void> {
  const path = join(folder, 'node_modules', name)
  await mkdir(dirname(path), { recursive: true })
  const target = name === 'comet-sse' ? ROOT : `${ROOT}/node_modules/${name}`
  // A program that imports what is not installed here fails by itself, and says so.
  if (!existsSync(target)) return
  await symlink(target, path, 'junction').catch((error) => {
    if (error.code !== 'EEXIST') throw error
  })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : freePort()
}

function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const answer = once(socket, 'connect').then(
    () => true,
    () => false,
  )
  return answer.finally(() => socket.destroy())
}
