import { createServer } from 'node:http'

/** Long lists of clients come at once: they wait in the kernel, not in vain. */
const BACKLOG = 16_384

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
  await new Promise((resolve) =>
    server.listen({ port: 0, host: '127.0.0.1', backlog: BACKLOG }, () => resolve(0)),
  )
  return /** @type {import('node:net').AddressInfo} */ (server.address()).port
}

/**
 * The number in the query of a stream's URL.
 *
 * @param {string | undefined} url
 */
export function numberIn(url) {
  return Number(url?.slice(url.indexOf('=') + 1))
}

/** An event whose id is the number of the text. @param {string} text */
export function frameOf(text) {
  return `id: ${text.slice(2, text.indexOf(';'))}\ndata: ${text}\n\n`
}

/** How many clients share a room where rooms are measured. */
export const ROOM_SIZE = 10
