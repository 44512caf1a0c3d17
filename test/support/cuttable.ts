import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** Forwards connections to a local server, and can break them. */
export class Cuttable {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server) {
    this.#server = server
  }

  static async to(url: string): Promise<Cuttable> {
    const { port } = new URL(url)
    const server = createServer()
    const way = new Cuttable(server)
    // A test that fails before it closes this must not keep the process alive.
    server.unref()
    server.on('connection', (near) => {
      const far = connect(Number(port), '127.0.0.1')
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        way.#sockets.add(socket)
        socket.pipe(other)
        socket.on('error', () => {})
        socket.on('close', () => {
          way.#sockets.delete(socket)
          other.destroy()
        })
      }
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return way
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Breaks every open connection. New ones are forwarded. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  close(): void {
    this.#server.close()
    this.cut()
  }
}
