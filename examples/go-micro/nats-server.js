import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** Starts a NATS with JetStream of its own, on a free port and in a folder that is removed at the end. */
export async function startNats() {
  const folder = await mkdtemp(join(tmpdir(), 'comet-go-micro-'))
  const options = ['--addr', '127.0.0.1', '--port', '-1', '--jetstream', '--store_dir', folder]
  // Detached, so that Ctrl+C ends it after the Comet and not with it.
  const server = spawn('nats-server', options, { stdio: ['ignore', 'ignore', 'pipe'], detached: true })
  try {
    await once(server, 'spawn')
  } catch (error) {
    console.error(
      `nats-server does not start (${/** @type {Error} */ (error).message}). Install it, or set NATS_URL.`,
    )
    await rm(folder, { recursive: true, force: true })
    process.exit(1)
  }
  const address = await addressOf(server.stderr)
  const stop = async () => {
    server.kill()
    await once(server, 'exit')
    await rm(folder, { recursive: true, force: true })
  }
  return { url: `nats://${address}`, stop }
}

/**
 * Reads in the log of a nats-server where it listens, once it is ready.
 *
 * @param {import('node:stream').Readable} log
 */
async function addressOf(log) {
  let address
  for await (const line of createInterface({ input: log })) {
    address ??= /Listening for client connections on (\S+)/.exec(line)?.[1]
    if (!line.includes('Server is ready')) continue
    // What comes later is read, too, so that the server never waits for a reader.
    log.resume()
    return address
  }
  throw new Error('nats-server ended before it was ready.')
}
