import { connect } from 'node:net'
import { contenderOf } from './contenders/index.js'
import { EventCounter } from './event-counter.js'
import { serve } from './peer.js'

/** How many clients connect at the same time. */
const WINDOW = 200

const SOCKET_IO_CONNECT = frameOf('40')
const SOCKET_IO_CONNECTED = Buffer.from('40{')

/** The Buffer that every socket reads into. It is parsed before the next read. */
const incoming = Buffer.allocUnsafe(65_536)

/** @type {import('./types.js').Contender['protocol']} */
let protocol = 'sse'
/** @type {Client[]} */
let clients = []
/** How many clients have lost their connection. */
let lost = 0
/** How often clients have read something of a stream's body. */
let reads = 0
/** Counts the texts that clients must get now. @type {EventCounter | undefined} */
let counter

/** One stream. Parses the bytes of its socket, which costs less than an HTTP client. */
class Client {
  /** The beginning of a text whose end has not been read yet. @type {Buffer | undefined} */
  carry
  /** The number of the next text. */
  next = 0
  /** Called when the stream is open, or has failed. @type {(error?: Error) => void} */
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
      reads += 1
      counter?.take(this, bytes)
      return
    }
    // latin1 keeps every byte as it is.
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
    // What a resumed client missed may come in the same read as the head.
    const body = this.#head.slice(this.#head.indexOf('\r\n\r\n'))
    this.#state = 'body'
    this.#head = ''
    counter?.take(this, Buffer.from(body, 'latin1'))
    this.onReady()
  }
}

/** A WebSocket frame with a short text, masked as a client's must be (RFC 6455, section 5.2). @param {string} text */
function frameOf(text) {
  return Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)])
}

/** @param {string} target */
function requestOf(target) {
  const speaks =
    protocol === 'sse'
      ? ['Accept: text/event-stream', 'Cache-Control: no-cache', 'User-Agent: bench']
      : [
          'Connection: Upgrade',
          'Upgrade: websocket',
          'Sec-WebSocket-Version: 13',
          'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
        ]
  return [`GET ${target} HTTP/1.1`, 'Host: 127.0.0.1', ...speaks, '', ''].join('\r\n')
}

serve({
  /**
   * Opens streams. With `expect`, the new clients are counted from their first byte, and no others may be open.
   *
   * @param {{ contender: string, kind: import('./types.js').Kind, port: number, count: number, from?: number,
   *   query?: string, expect?: import('./types.js').Expectation }} request `from`: the number of the first client
   */
  async open({ contender, kind, port, count, from = 0, query = '', expect }) {
    const { path, protocol: spoken = 'sse' } = contenderOf(contender)
    protocol = spoken
    counter = expect && new EventCounter(count * expect.each, expect.deadline)
    let next = 0
    await Promise.all(
      Array.from({ length: Math.min(WINDOW, count) }, async () => {
        while (next < count) {
          const index = next
          next += 1
          const client = new Client(port, requestOf(path(from + index, kind) + query))
          client.next = expect?.first ?? 0
          await new Promise((resolve, reject) => {
            client.onReady = (error) => (error === undefined ? resolve(0) : reject(error))
          })
          client.onReady = () => {}
          clients.push(client)
        }
      }),
    )
  },

  /** Counts from now on: every client must get `each` texts. @param {import('./types.js').Expectation} expectation */
  expect({ first, each, deadline }) {
    for (const client of clients) {
      client.next = first
      client.carry = undefined
    }
    counter = new EventCounter(clients.length * each, deadline)
  },

  /** @returns {Promise<import('./types.js').Counts>} when every client has got its texts, or at the deadline */
  async counts() {
    if (counter === undefined) throw new Error('No texts are expected.')
    const counts = await counter.done
    return { ...counts, faults: [...counts.faults, ...lostConnections()] }
  },

  /** How often clients have read something since the last call. */
  reads() {
    const since = reads
    reads = 0
    return { reads: since, faults: lostConnections() }
  },

  /** Closes all streams. */
  async close() {
    const leaving = clients
    clients = []
    await Promise.all(
      leaving.map(
        ({ socket }) => socket.closed || new Promise((resolve) => socket.on('close', resolve).destroy()),
      ),
    )
  },
})

/** @returns {string[]} a fault, if any client has lost its connection */
function lostConnections() {
  return lost > 0 ? [`${lost} clients lost their connection`] : []
}
