import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The unit of processor times in /proc: `getconf CLK_TCK`, which is 100 on Linux. */
const TICKS_A_SECOND = 100

/** Tells whether a program is on the PATH. @param {string} program */
export function isInstalled(program) {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined
}

/**
 * Starts a server on a free port, and with a folder that is removed at the end.
 *
 * @param {string} program
 * @param {{ args: (port: number, folder: string) => string[], ready: string }} how `ready`: what it writes once it can be
 *   used
 */
export async function startProgram(program, { args, ready }) {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'comet-bench-'))
  const child = spawn(program, args(port, folder), { stdio: ['ignore', 'pipe', 'pipe'] })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  const gone = new Promise((resolve) => child.once('exit', resolve))
  await new Promise((resolve, reject) => {
    let text = ''
    /** @param {Buffer} piece */
    const onData = (piece) => {
      text += piece
      if (text.includes(ready)) resolve(0)
    }
    child.stdout.on('data', onData)
    child.stderr.on('data', onData)
    child.once('error', reject)
    child.once('exit', () => reject(new Error(`${program} ended: ${text}`)))
  })
  return {
    port,
    /** Microseconds of processor time. */
    cpu: () => cpuOf(child.pid),
    async stop() {
      process.off('exit', kill)
      kill()
      await gone
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** @param {number | undefined} pid @returns microseconds of processor time, in steps of 10 ms. Only on Linux */
export function cpuOf(pid) {
  // Fields 14 and 15 are user and system time (proc(5)). The name of field 2 may have spaces, so count after it.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return ((Number(fields[11]) + Number(fields[12])) * 1e6) / TICKS_A_SECOND
}

/** @returns {Promise<number>} a port of this machine that nobody listens on */
export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (probe.address())
      probe.close(() => resolve(port))
    })
  })
}
