import { startProgram } from '../programs.js'
import { connectRedis } from './clients.js'

/** Starts a Redis that writes nothing to disk. */
export async function startRedis() {
  const server = await startProgram('redis-server', {
    args: (port, folder) => {
      const settings = { port, bind: '127.0.0.1', dir: folder, save: '', appendonly: 'no' }
      return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
    },
    ready: 'Ready to accept connections',
  })
  const client = connectRedis(server.port)
  /** @param {string} section @param {string} key */
  const figure = async (section, key) =>
    Number(new RegExp(`^${key}:([\\d.]+)`, 'm').exec(await client.info(section))?.[1])
  return {
    port: server.port,
    /** Microseconds of processor time, more exactly than the operating system tells it. */
    cpu: async () => ((await figure('cpu', 'used_cpu_sys')) + (await figure('cpu', 'used_cpu_user'))) * 1e6,
    /** Bytes. */
    memory: () => figure('memory', 'used_memory'),
    /** Bytes. @param {string} key */
    memoryOf: async (key) => Number(await client.call('MEMORY', 'USAGE', key, 'SAMPLES', '0')),
    async stop() {
      client.disconnect()
      await server.stop()
    },
  }
}
