import { createServer } from 'node:http'

/** Thousands of clients connect at once. The kernel queues them; a shorter queue would drop some. */
const BACKLOG = 16_384

/** @type {Set<import('node:net').Server>} */
const servers = new Set()

/**
 * Listens on a free port of this machine.
 *
 * @param {import('node:http').RequestListener} listener
 * @returns {Promise<{ server: import('node:http').Server, port: number }>}
 */
export async function listen(listener) {
  const server = createServer(listener)
  return { server, port: await bind(server) }
}

/** @param {import('node:net').Server} server */
export async function bind(server) {
  servers.add(server)
  await new Promise((resolve) =>
    server.listen({ port: 0, host: '127.0.0.1', backlog: BACKLOG }, () => resolve(0)),
  )
  return /** @type {import('node:net').AddressInfo} */ (server.address()).port
}

/** The number of open connections to the servers that {@link bind} started. @returns {Promise<number>} */
export async function openConnections() {
  const counts = await Promise.all(
    Array.from(
      servers,
      (server) =>
        new Promise((resolve, reject) => {
          server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)))
        }),
    ),
  )
  return counts.reduce((sum, count) => sum + count, 0)
}

/**
 * The number in the query of a stream's URL.
 *
 * @param {string | undefined} url
 */
export function numberIn(url) {
  return Number(url?.slice(url.indexOf('=') + 1))
}

/** An SSE event whose id is the number of the text. @param {string} text */
export function frameOf(text) {
  return `id: ${text.slice(2, text.indexOf(';'))}\ndata: ${text}\n\n`
}

/** The clients in a room, in the scenario that measures rooms. */
export const ROOM_SIZE = 10
