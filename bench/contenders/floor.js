import { createServer } from 'node:net'
import { bind, frameOf } from './http.js'

/** @typedef {import('../types.js').Contender} Contender */

/** Comet's default. */
const HEARTBEAT_MS = 15_000

const HEAD = [
  'HTTP/1.1 200 OK',
  'Content-Type: text/event-stream',
  'Cache-Control: no-cache, no-transform',
  'Transfer-Encoding: chunked',
  '',
  '',
].join('\r\n')

/** @param {string} text */
function chunkOf(text) {
  return Buffer.from(`${text.length.toString(16)}\r\n${text}\r\n`)
}

/**
 * Writes to a set of sockets, without HTTP, sessions and slow readers. This is the least that any server on Node costs:
 * what remains is the work of Node's sockets and of the kernel.
 *
 * @type {Contender['start']}
 */
async function start() {
  /** @type {Set<import('node:net').Socket>} */
  const sockets = new Set()
  const server = createServer({ noDelay: true }, (socket) => {
    socket.once('data', () => {
      socket.write(Buffer.concat([Buffer.from(HEAD), chunkOf('retry: 2000\n\n')]))
      sockets.add(socket)
    })
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  /** @param {Buffer} chunk */
  const write = (chunk) => {
    for (const socket of sockets) socket.write(chunk)
  }
  setInterval(() => write(chunkOf('event: heartbeat\ndata: {}\n\n')), HEARTBEAT_MS).unref()
  return {
    port: await bind(server),
    publish: (text) => write(chunkOf(frameOf(text))),
    burst: (texts) => write(chunkOf(texts.map(frameOf).join(''))),
  }
}

/** @type {Record<string, Contender>} */
export const floor = {
  floor: { title: 'socket.write on node:net alone', kinds: ['fanout'], path: () => '/', start },
}
