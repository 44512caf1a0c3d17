import { once } from 'node:events'
import http, { type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Gate } from './inbox.ts'

/** A proxy as stands in front of many apps: it answers 502 while the app is away, or while a test wants it. */
export class Gateway {
  /** Whether it answers 502 to all. */
  isDown = false
  /** The requests for streams, in order, each with the status of its answer, 0 before it. */
  readonly streams: { readonly url: string; status: number }[] = []
  readonly #server: Server
  readonly #port: number
  #gate: Gate | undefined

  private constructor(server: Server, port: number) {
    this.#server = server
    this.#port = port
  }

  static async to(port: number): Promise<Gateway> {
    const server = http.createServer()
    const gateway = new Gateway(server, port)
    server.on('request', (req, res) => void gateway.#forward(req, res))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return gateway
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Answers 502 from now on, and breaks what is open. */
  goDown(): void {
    this.isDown = true
    this.cut()
  }

  /** Breaks every open connection. New ones are forwarded. */
  cut(): void {
    this.#server.closeAllConnections()
  }

  /** Lets the requests for streams wait until the gate is opened. */
  holdStreams(): Gate {
    this.#gate = new Gate()
    return this.#gate
  }

  async close(): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  async #forward(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { method, url = '', headers } = req
    const stream = headers.accept === 'text/event-stream' ? { url, status: 0 } : undefined
    if (stream !== undefined) this.streams.push(stream)
    const fail = () => {
      if (res.headersSent) res.destroy()
      else {
        if (stream !== undefined) stream.status = 502
        res.writeHead(502).end('<h1>Bad Gateway</h1>')
      }
    }
    if (this.isDown) {
      fail()
      return
    }
    if (stream !== undefined) await this.#gate?.pass()
    const request = http.request({ port: this.#port, host: '127.0.0.1', method, path: url, headers })
    request.on('error', fail)
    request.on('response', (response) => {
      if (stream !== undefined) stream.status = response.statusCode ?? 0
      res.writeHead(response.statusCode ?? 0, response.headers)
      response.pipe(res)
      response.on('error', fail)
    })
    res.on('close', () => request.destroy())
    req.pipe(request)
  }
}
