import { isInstalled, startProgram } from '../programs.js'
import { startRedis } from './redis-server.js'

/** The servers that nodes share: JetStream is a nats-server that keeps messages, in files. @typedef {'redis' | 'nats' | 'jetstream'} Server */
/** The ports of servers. 0: it was not started. @typedef {Record<Server, number>} Ports */

/** @param {string[]} more arguments */
const startNats = (...more) =>
  startProgram('nats-server', {
    args: (port, folder) => ['--addr', '127.0.0.1', '--port', String(port), '--store_dir', folder, ...more],
    ready: 'Server is ready',
  })

/** @type {Record<Server, { program: string, start: () => Promise<{ port: number, cpu: () => number | Promise<number>, stop: () => Promise<void> }> }>} */
const SERVERS = {
  redis: { program: 'redis-server', start: startRedis },
  nats: { program: 'nats-server', start: () => startNats() },
  jetstream: { program: 'nats-server', start: () => startNats('--jetstream') },
}

/** Starts servers of one contender. @param {readonly Server[]} names */
export async function startServers(names) {
  const servers = await Promise.all(names.map((name) => SERVERS[name].start()))
  /** @type {Ports} */
  const ports = { redis: 0, nats: 0, jetstream: 0 }
  for (const [index, name] of names.entries()) ports[name] = servers[index]?.port ?? 0
  return {
    ports,
    /** Microseconds of processor time of all of them. */
    async cpu() {
      const times = await Promise.all(servers.map((server) => server.cpu()))
      return times.reduce((sum, time) => sum + time, 0)
    },
    async stop() {
      await Promise.all(servers.map((server) => server.stop()))
    },
  }
}

/**
 * Picks contenders whose servers are installed, and prints what to install for the others.
 *
 * @template {{ servers: readonly Server[] }} Contender
 * @param {Record<string, Contender>} contenders @param {string | undefined} list names with commas. Default: all
 * @returns {[name: string, contender: Contender][]}
 */
export function pick(contenders, list) {
  const names = list?.split(',') ?? Object.keys(contenders)
  return names.flatMap((name) => {
    const contender = contenders[name]
    if (contender === undefined) {
      throw new Error(`There is no contender ${name}: ${Object.keys(contenders).join(', ')}.`)
    }
    const missing = contender.servers
      .map((server) => SERVERS[server].program)
      .find((one) => !isInstalled(one))
    if (missing === undefined) return [[name, contender]]
    console.log(`Without ${name}: ${missing} is not on the PATH. Install it: apt-get install ${missing}`)
    return []
  })
}
