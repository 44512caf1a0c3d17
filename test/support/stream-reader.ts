import net, { type Socket } from 'node:net'
import { scaled, within } from './inbox.ts'
import { head } from './socket-client.ts'

const PATIENCE_MS = scaled(60_000)

/** How many characters of a line a reader looks at: enough for an id, or the number of an event. */
const LOOK = 64

/** Reads a stream at next to no cost: it looks only at the beginning of each line. */
export class StreamReader {
  readonly socket: Socket
  /** The numbers of the events, see app-process.ts. */
  readonly numbers: number[] = []
  /** What a client would give as Last-Event-ID. */
  lastEventId: string | undefined
  /** The control events in order. */
  readonly controls: { readonly name: string; readonly data: string }[] = []
  /** Settles when the connection is gone. */
  readonly closed: Promise<void>
  /** The number of bytes received. */
  bytes = 0
  #line = ''
  #name = ''
  #id: string | undefined
  readonly #wake = new Set<() => void>()

  /** @param query of the request, with `u` for the user */
  constructor(port: number, query: string, { address = '127.0.0.1', position = '' } = {}) {
    this.socket = net.connect({ port, host: address })
    const lines = [`GET /comet?${query} HTTP/1.1`, 'Host: x', ...(position && [`Last-Event-ID: ${position}`])]
    this.socket.write(head(...lines))
    this.socket.on('data', (bytes) => this.#read(bytes))
    // Tests cut connections on purpose, which shows in `closed`.
    this.socket.on('error', () => {})
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()))
    this.closed.then(() => this.#notify())
  }

  /** Settles once a condition holds. */
  async until(holds: (reader: this) => unknown, what: string, patience = PATIENCE_MS): Promise<void> {
    const held = new Promise<void>((resolve, reject) => {
      const look = () => {
        if (holds(this)) resolve()
        else if (this.socket.closed) reject(new Error(`Not ${what}: the connection is gone`))
        else return
        this.#wake.delete(look)
      }
      this.#wake.add(look)
      look()
    })
    await within(held, what, patience)
  }

  /** Settles once the stream has begun. */
  async ready(): Promise<void> {
    await this.until(() => this.control('ready') !== undefined, 'ready')
  }

  /** The data of the latest control event of a name. */
  // biome-ignore lint/suspicious/noExplicitAny: each event has its own
  control(name: string): any {
    const found = this.controls.findLast((control) => control.name === `comet.${name}`)
    return found && JSON.parse(found.data)
  }

  #read(bytes: Buffer): void {
    this.bytes += bytes.length
    let at = 0
    while (at < bytes.length) {
      const end = bytes.indexOf(10, at)
      const look = this.#name === '' ? LOOK : Number.POSITIVE_INFINITY
      const to = Math.min(end < 0 ? bytes.length : end, at + look - this.#line.length)
      if (to > at) this.#line += bytes.toString('latin1', at, to)
      if (end < 0) break
      this.#take(this.#line)
      this.#line = ''
      at = end + 1
    }
    this.#notify()
  }

  #notify(): void {
    for (const wake of this.#wake) wake()
  }

  #take(line: string): void {
    if (line.startsWith('event: ')) this.#name = line.slice(7)
    else if (line.startsWith('id: ')) this.#id = line.slice(4)
    else if (line.startsWith('data: ') && this.#name === '')
      this.numbers.push(Number.parseInt(line.slice(6), 10))
    else if (line.startsWith('data: ')) this.controls.push({ name: this.#name, data: line.slice(6) })
    // The empty line ends a block.
    if (line !== '') return
    this.lastEventId = this.#id ?? this.lastEventId
    this.#name = ''
    this.#id = undefined
  }
}
