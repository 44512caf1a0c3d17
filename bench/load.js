import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { contenderOf } from './contenders/index.js'
import { EventCounter } from './event-counter.js'
import { serve } from './peer.js'

/** How many clients may be on their way at a time. */
const WINDOW = 200

const SOCKET_IO_CONNECT = frameOf('40')
const SOCKET_IO_CONNECTED = Buffer.from('40{')

/** All sockets read into one Buffer, one after the other. */
const incoming = Buffer.allocUnsafe(65_536)

/** @type {import('./types.js').Contender['protocol']} */
let protocol = 'sse'
/** @type {Client[]} */
let clients = []
/** Clients that lost their connection. */
let lost = 0
/** The phase that is counted. @type {EventCounter | undefined} */
let counter

/** One stream, as the bytes of a socket. */
class Client {
  /** What was read of an event whose rest is yet to come. @type {Buffer | undefined} */
  carry
  /** The number of the next event. */
  next = 0
  /** @type {(error?: Error) => void} */
  onReady = () => {}
  /** @type {'head' | 'hello' | 'body'} */
  #state = 'head'
  #head = ''

  /** @param {number} port @param {string} request */
  constructor(port, request) {
    const callback = (/** @type {number} */ size) => {
      this.#read(incoming.subarray(0, size))
      return true
    }
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true, onread: { buffer: incoming, callback } })
    this.socket.on('connect', () => this.socket.write(request))
    this.socket.on('error', (error) => this.onReady(error))
    this.socket.on('close', () => {
      if (clients.includes(this)) lost += 1
      this.onReady(new Error('closed'))
    })
  }

  /** @param {Buffer} bytes */
  #read(bytes) {
    if (this.#state === 'body') {
      counter?.take(this, bytes)
      return
    }
    // Only the beginning matters, and latin1 keeps every byte.
    this.#head += bytes.toString('latin1')
    if (this.#state === 'head') {
      if (!this.#head.includes('\r\n\r\n')) return
      const status = Number(this.#head.slice(9, 12))
      if (status !== 200 && status !== 101) this.onReady(new Error(`status ${status}`))
      if (protocol === 'socket.io') {
        this.#state = 'hello'
        this.socket.write(SOCKET_IO_CONNECT)
      }
    }
    if (protocol === 'socket.io' && !this.#head.includes(SOCKET_IO_CONNECTED.toString())) return
    this.#state = 'body'
    this.#head = ''
    this.onReady()
  }
}

/** A short text message as a client must send it, masked (RFC 6455, section 5.2). @param {string} text */
function frameOf(text) {
  return Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)])
}

/** @param {string} target @param {string[]} headers */
function requestOf(target, headers) {
  const speaks =
    protocol === 'sse'
      ? ['Accept: text/event-stream', 'Cache-Control: no-cache', 'User-Agent: bench']
      : [
          'Connection: Upgrade',
          'Upgrade: websocket',
          'Sec-WebSocket-Version: 13',
          'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
        ]
  return [`GET ${target} HTTP/1.1`, 'Host: 127.0.0.1', ...speaks, ...headers, '', ''].join('\r\n')
}

serve({
  /**
   * Opens streams.
   *
   * @param {{ contender: string, kind: import('./types.js').Kind, port: number, count: number, query?: string,
   *   headers?: string[] }} request
   */
  async open({ contender, kind, port, count, query = '', headers = [] }) {
    const { path, protocol: spoken = 'sse' } = contenderOf(contender)
    protocol = spoken
    let next = 0
    await Promise.all(
      Array.from({ length: Math.min(WINDOW, count) }, async () => {
        while (next < count) {
          const index = next
          next += 1
          const client = new Client(port, requestOf(path(index, kind) + query, headers))
          await new Promise((resolve, reject) => {
            client.onReady = (error) => (error === undefined ? resolve(0) : reject(error))
          })
          client.onReady = () => {}
          clients.push(client)
        }
      }),
    )
  },

  /** From now on every client counts, and must get the texts from a number on. */
  expect({ first, each, deadline }) {
    for (const client of clients) {
      client.next = first
      client.carry = undefined
    }
    counter = new EventCounter(clients.length * each, deadline)
  },

  /** @returns {Promise<import('./types.js').Counts>} when all have got all, or the time is over */
  async counts() {
    const counts = await counter?.done
    if (lost > 0) counts?.faults.push(`${lost} clients lost their connection`)
    return /** @type {import('./types.js').Counts} */ (counts)
  },

  /** Closes all streams. */
  async close() {
    const leaving = clients
    clients = []
    for (const { socket } of leaving) socket.destroy()
    await sleep(50)
  },
})
