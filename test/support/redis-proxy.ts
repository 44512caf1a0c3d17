import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { reset } from './reset.ts'

/** One connection through the proxy: the client is near, the server far. */
interface Link {
  readonly near: Socket
  readonly far: Socket
  /** Whether its next answer is lost. */
  loses: boolean
  /** Whether it has carried a read that blocks. */
  blocks: boolean
}

/** Forwards connections to a Redis server, and disturbs them. */
export class RedisProxy {
  readonly #server: Server
  readonly #links = new Set<Link>()
  /** The number of answers to scripts that are still to be lost. */
  #losses = 0
  #onLost: () => void = () => {}
  #isStalled = false
  #watched: { readonly pattern: RegExp; readonly action: () => void } | undefined
  /** How often an answer was lost. */
  lost = 0

  private constructor(server: Server) {
    this.#server = server
  }

  static async to(port: number): Promise<RedisProxy> {
    const server = createServer({ noDelay: true })
    const proxy = new RedisProxy(server)
    // A test that fails before it closes this must not keep the process alive.
    server.unref()
    server.on('connection', (near) => proxy.#accept(near, port))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /**
   * The server carries out the next script that a client sends, but its answer is lost, and the connection is cut.
   *
   * @returns settles when that has happened
   */
  loseAnswer(): Promise<void> {
    this.#losses += 1
    return new Promise((resolve) => {
      this.#onLost = resolve
    })
  }

  /** Calls a function once, before what fits is forwarded to the server. */
  before(pattern: RegExp, action: () => void): void {
    this.#watched = { pattern, action }
  }

  /** Cuts all connections. New ones are accepted. */
  cut(): void {
    for (const { near, far } of this.#links) {
      reset(near)
      far.destroy()
    }
  }

  /** Forwards nothing, either way, until {@link resume}: the connections stay open, as on a network that drops packets. */
  stall(): void {
    this.#isStalled = true
    for (const { near, far } of this.#links) {
      near.pause()
      far.pause()
    }
  }

  /** As {@link stall}, but only for connections on which reads block. */
  stallReads(): void {
    for (const { far, blocks } of this.#links) if (blocks) far.pause()
  }

  resume(): void {
    this.#isStalled = false
    for (const { near, far } of this.#links) {
      near.resume()
      far.resume()
    }
  }

  close(): void {
    this.#server.close()
    this.cut()
  }

  #accept(near: Socket, port: number): void {
    const far = connect({ port, host: '127.0.0.1', noDelay: true })
    const link: Link = { near, far, loses: false, blocks: false }
    this.#links.add(link)
    near.on('data', (bytes) => {
      if (this.#watched?.pattern.test(bytes.toString('latin1'))) {
        this.#watched.action()
        this.#watched = undefined
      }
      if (/\$\d+\r\nxread/i.test(bytes.toString('latin1'))) link.blocks = true
      if (this.#losses > 0 && !link.loses && /\$\d+\r\neval/i.test(bytes.toString('latin1'))) {
        this.#losses -= 1
        link.loses = true
      }
      far.write(bytes)
    })
    far.on('data', (bytes) => {
      if (!link.loses) {
        near.write(bytes)
        return
      }
      this.lost += 1
      reset(near)
      far.destroy()
      this.#onLost()
    })
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      if (this.#isStalled) socket.pause()
      socket.on('error', () => {})
      socket.on('close', () => {
        this.#links.delete(link)
        other.destroy()
      })
    }
  }
}
