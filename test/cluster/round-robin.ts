import { once } from 'node:events'
import http, { type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * A proxy as stands in front of the nodes of a cluster: each request goes to the next node, whoever sent it. Where the
 * node does not accept the connection, the one after it gets the request. Where a node fails later, the client gets 502,
 * or its stream breaks.
 */
export class RoundRobin {
  /** The ports of the nodes. */
  ports: readonly number[] = []
  readonly #server: Server
  #next = 0

  private constructor(server: Server) {
    this.#server = server
  }

  static async start(): Promise<RoundRobin> {
    const server = http.createServer({ noDelay: true })
    const proxy = new RoundRobin(server)
    // A test that fails before it closes this must not keep the process alive.
    server.unref()
    server.on('request', (req, res) => proxy.#forward(req, res, proxy.ports.length))
    server.listen(0, '127.0.0.1', 2_000)
    await once(server, 'listening')
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/comet`
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  #forward(req: IncomingMessage, res: ServerResponse, attempts: number): void {
    const { method, url: path, headers } = req
    this.#next += 1
    const port = this.ports[this.#next % this.ports.length]
    const request = http.request({ port, host: '127.0.0.1', method, path, headers, agent: false })
    const end = () => request.destroy()
    res.once('close', end)
    request.once('error', (error: NodeJS.ErrnoException) => {
      res.off('close', end)
      if (error.code === 'ECONNREFUSED' && attempts > 1) this.#forward(req, res, attempts - 1)
      else if (res.headersSent) res.destroy()
      else res.writeHead(502).end()
    })
    request.once('response', (response) => {
      res.writeHead(response.statusCode ?? 0, response.headers)
      res.flushHeaders()
      response.pipe(res)
      response.once('error', () => res.destroy())
    })
    // The body is not sent before the node has accepted the connection.
    if (method === 'GET') request.end()
    else request.once('socket', (socket) => socket.once('connect', () => req.pipe(request)))
  }
}
