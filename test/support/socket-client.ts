import net, { type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import { type Block, eventParser } from './event-parser.ts'
import { Inbox, within } from './inbox.ts'

/** A response as it came over a socket; its body grows while it comes. */
export interface RawResponse {
  readonly status: number
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>
  /** The lines of the head as they came. */
  readonly head: string
  readonly body: string
  readonly blocks: readonly Block[]
  /** The next event, or the next of that name. */
  next(event?: string): Promise<Block>
  /** Settles when the body is complete. */
  readonly complete: Promise<void>
}

/** A client that says and hears bytes, for what well-behaved ones would not do. */
export interface SocketClient<Kind extends Duplex = Socket> {
  readonly socket: Kind
  /** All that came, as it came. */
  bytes(): string
  /** Sends text as it is, CR and LF included. */
  send(text: string | Buffer): void
  /** Sends it byte by byte, each in a packet of its own where the network lets it. */
  trickle(text: string | Buffer): Promise<void>
  /** The next response on this connection. */
  response(): Promise<RawResponse>
  /** Settles when the connection is gone. */
  readonly closed: Promise<void>
  /** True once the server has ended its side. */
  readonly ended: boolean
  destroy(): void
}

/** Text of a request: its lines joined, an empty line behind. */
export function head(...lines: string[]): string {
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** @param options.lingers never ends its own side, as a client that is asleep */
export async function openSocket(
  { port }: { readonly port: number },
  options: { lingers?: boolean } = {},
): Promise<SocketClient> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
  const client = speakOver(socket, options)
  await within(new Promise((resolve) => socket.once('connect', resolve)), 'connecting')
  return client
}

/** Makes a client of a connection that is there: a socket, or a Duplex in memory. */
export function speakOver<Kind extends Duplex>(
  socket: Kind,
  { lingers = false }: { lingers?: boolean } = {},
): SocketClient<Kind> {
  const responses = new Inbox<RawResponse>()
  const reader = new Reader((response) => responses.push(response))
  let bytes = ''
  let ended = false
  socket.setEncoding('latin1')
  socket.on('data', (piece: string) => {
    bytes += piece
    reader.feed(piece)
  })
  socket.on('end', () => {
    ended = true
    reader.end()
    responses.end('the server ended the connection')
    if (!lingers) socket.end()
  })
  // A cut is what tests are about: it shows in `closed`.
  socket.on('error', () => {})
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      reader.end()
      responses.end('the connection is gone')
      resolve()
    })
  })
  return {
    socket,
    bytes: () => bytes,
    send: (text) => {
      socket.write(text)
    },
    trickle: async (text) => {
      for (const byte of Buffer.from(text)) {
        socket.write(Uint8Array.of(byte))
        await new Promise((resolve) => setImmediate(resolve))
      }
    },
    response: () => responses.next(undefined, 'response'),
    closed,
    get ended() {
      return ended
    },
    destroy: () => socket.destroy(),
  }
}

/** Reads responses with a Content-Length, in chunks, without a body, or until the end of the connection. */
class Reader {
  readonly #onResponse: (response: RawResponse) => void
  #text = ''
  #body: Body | undefined

  constructor(onResponse: (response: RawResponse) => void) {
    this.#onResponse = onResponse
  }

  feed(piece: string): void {
    this.#text += piece
    if (this.#text.length < (this.#body?.needed ?? 0)) return
    while (this.#step()) {}
  }

  end(): void {
    this.#body?.finish()
  }

  #step(): boolean {
    if (this.#body === undefined) {
      const end = this.#text.indexOf('\r\n\r\n')
      if (end < 0) return false
      this.#body = new Body(this.#text.slice(0, end))
      this.#text = this.#text.slice(end + 4)
      if (this.#body.status >= 200) this.#onResponse(this.#body)
    }
    const rest = this.#body.take(this.#text)
    const went = rest.length < this.#text.length
    this.#text = rest
    if (!this.#body.finished) return went && rest !== ''
    this.#body = undefined
    return rest !== ''
  }
}

class Body implements RawResponse {
  readonly status: number
  readonly headers: Record<string, string> = {}
  readonly head: string
  readonly complete: Promise<void>
  body = ''
  finished = false
  /** How much text must be there before there is something to take. */
  needed = 0
  readonly #inbox = new Inbox<Block>()
  readonly #parse = eventParser((block) => this.#inbox.push(block))
  readonly #decoder = new StringDecoder()
  #left: number
  #resolve: () => void = () => {}

  constructor(text: string) {
    this.head = text
    const [first = '', ...lines] = text.split('\r\n')
    this.status = Number(first.split(' ')[1])
    for (const line of lines) {
      const colon = line.indexOf(':')
      this.headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
    }
    this.complete = new Promise((resolve) => {
      this.#resolve = resolve
    })
    const { 'content-length': length } = this.headers
    const isEmpty = this.status < 200 || this.status === 204 || this.status === 304
    this.#left = isEmpty ? 0 : length === undefined ? Number.POSITIVE_INFINITY : Number(length)
    if (this.#left === 0) this.finish()
  }

  get blocks(): readonly Block[] {
    return this.#inbox.all
  }

  next(event?: string): Promise<Block> {
    return this.#inbox.next((block) => event === undefined || block.event === event, event ?? 'event')
  }

  /** Takes what is its own. @returns the rest */
  take(text: string): string {
    if (this.finished) return text
    if (this.headers['transfer-encoding'] === 'chunked') return this.#takeChunk(text)
    this.#add(text.slice(0, this.#left))
    const rest = text.slice(Math.min(this.#left, text.length))
    this.#left -= text.length - rest.length
    if (this.#left === 0) this.finish()
    return rest
  }

  finish(): void {
    this.finished = true
    this.#inbox.end()
    this.#resolve()
  }

  #takeChunk(text: string): string {
    const end = text.indexOf('\r\n')
    if (end < 0) return text
    const size = Number.parseInt(text.slice(0, end), 16)
    const start = end + 2
    this.needed = start + size + 2
    if (text.length < this.needed) return text
    this.needed = 0
    if (size === 0) this.finish()
    else this.#add(text.slice(start, start + size))
    return text.slice(start + size + 2)
  }

  #add(text: string): void {
    const decoded = this.#decoder.write(Buffer.from(text, 'latin1'))
    this.body += decoded
    if (this.headers['content-type'] === 'text/event-stream') this.#parse(decoded)
  }
}
