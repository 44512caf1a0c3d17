import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { outputOf } from './output.js'

/** Starts a Redis of its own, on a free port and in a folder that is removed at the end. */
export async function startRedis() {
  const port = await freePort()
  const folder = await mkdtemp(join(tmpdir(), 'comet-cluster-'))
  const options = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--dir',
    folder,
    '--save',
    '',
    '--appendonly',
    'no',
  ]
  // Detached, so that Ctrl+C ends it after the chats and not with them.
  const server = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'inherit'], detached: true })
  server.on('error', (error) => {
    rmSync(folder, { recursive: true, force: true })
    console.error(`redis-server does not start (${error.message}). Install it, or set REDIS_URL.`)
    process.exit(1)
  })
  await outputOf(server.stdout, /Ready to accept connections/)
  const stop = async () => {
    server.kill()
    await once(server, 'exit')
    await rm(folder, { recursive: true, force: true })
  }
  return { url: `redis://127.0.0.1:${port}`, stop }
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (probe.address())
  probe.close()
  await once(probe, 'close')
  return port
}
