import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'

/** Starts a Redis of its own, on a free port and in a folder that is removed at the end. */
export async function startRedis() {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'comet-bench-'))
  const settings = { port, bind: '127.0.0.1', dir: folder, save: '', appendonly: 'no' }
  const options = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
  const server = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise((resolve, reject) => {
    let text = ''
    server.once('error', reject)
    server.stdout.on('data', (piece) => {
      text += piece
      if (text.includes('Ready to accept connections')) resolve(0)
    })
  })
  const client = new Redis({ port, host: '127.0.0.1' })
  /** @param {string} section @param {string} key */
  const figure = async (section, key) =>
    Number(new RegExp(`^${key}:([\\d.]+)`, 'm').exec(await client.info(section))?.[1])
  return {
    port,
    /** Microseconds of processor time. */
    cpu: async () => ((await figure('cpu', 'used_cpu_sys')) + (await figure('cpu', 'used_cpu_user'))) * 1e6,
    /** Bytes. */
    memory: () => figure('memory', 'used_memory'),
    /** Bytes. @param {string} key */
    memoryOf: async (key) => Number(await client.call('MEMORY', 'USAGE', key, 'SAMPLES', '0')),
    async stop() {
      client.disconnect()
      const gone = new Promise((resolve) => server.once('exit', resolve))
      server.kill()
      await gone
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (probe.address())
      probe.close(() => resolve(port))
    })
  })
}
