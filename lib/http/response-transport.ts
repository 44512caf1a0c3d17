import type { Transport, TransportListener } from '../transport.ts'
import { isHttp2, isOver, type Request, type Response } from './messages.ts'

/** How long an ended stream may take to send its rest before the connection is cut. */
const LINGER_MS = 5_000

/** After how much silence the kernel asks whether the other end is still there. */
const KEEPALIVE_MS = 30_000

const HEADERS = {
  'Content-Type': 'text/event-stream',
  // no-transform keeps compression, ours and any proxy's, from holding events back.
  'Cache-Control': 'no-cache, no-transform',
  // nginx would buffer the response otherwise.
  'X-Accel-Buffering': 'no',
}

/** A stream as the body of an HTTP response. */
export class ResponseTransport implements Transport {
  readonly #req: Request
  readonly #res: Response
  #listener: TransportListener | undefined
  #writeTimeout = 0
  #linger: NodeJS.Timeout | undefined

  #over: boolean

  constructor(req: Request, res: Response) {
    this.#req = req
    this.#res = res
    this.#over = isOver(req, res)
    if (this.#over) return
    res.on('close', this.#onClose)
    res.on('drain', this.#onDrain)
    // A response that waits behind another one is not told when the connection goes.
    if (!isHttp2(res) && res.socket === null) req.socket.once('close', this.#onClose)
    // A write that fails is followed by 'close'. Unheard, the error would crash the host.
    res.on('error', () => {})
  }

  get closed(): boolean {
    return this.#over || isOver(this.#req, this.#res)
  }

  listen(listener: TransportListener, writeTimeout: number): void {
    this.#listener = listener
    this.#writeTimeout = writeTimeout
    if (this.#over) listener.onClose()
  }

  open(): void {
    const res = this.#res
    if (isHttp2(res)) {
      res.stream.session?.setTimeout(0)
      res.stream.on('timeout', this.#onTimeout)
    } else {
      const { socket } = this.#req
      // Heard here, a timeout is no reason for Node to cut the connection.
      res.on('timeout', this.#onTimeout)
      socket.setTimeout(0)
      socket.setNoDelay(true)
      socket.setKeepAlive(true, KEEPALIVE_MS)
    }
    for (const [name, value] of Object.entries(HEADERS)) res.setHeader(name, value)
    res.writeHead(200)
  }

  write(bytes: Buffer): boolean {
    if (this.closed) return false
    const res = this.#res as Response & { flush?: () => void }
    const goOn = (res as { write(bytes: Buffer): boolean }).write(bytes)
    // The compression middleware, made to compress in spite of no-transform, holds back what is not flushed.
    if (typeof res.flush === 'function') res.flush()
    // Node's socket timeout is put off by every byte that goes out: what it finds is a write without progress.
    if (!goOn) this.#setTimeout(this.#writeTimeout)
    return goOn
  }

  end(): void {
    if (this.closed) return
    const res = this.#res
    this.#linger = setTimeout(() => this.destroy(), LINGER_MS)
    this.#linger.unref()
    // A connection kept alive for more requests would keep `server.close()` waiting, and so would one whose
    // client does not end its side. HTTP/2 tells the client to open another for what is to come (RFC 9113, 6.8).
    if (isHttp2(res)) {
      const { session } = res.stream
      res.once('close', () => session?.close())
    } else {
      res.once('finish', () => this.#req.socket.destroySoon())
    }
    res.end()
  }

  destroy(): void {
    if (isHttp2(this.#res)) this.#res.stream?.destroy()
    // Not by the response: one that waits behind another has no socket yet.
    else this.#req.socket.destroy()
  }

  readonly #onClose = (): void => {
    this.#over = true
    clearTimeout(this.#linger)
    if (!isHttp2(this.#res)) this.#req.socket.off('close', this.#onClose)
    this.#listener?.onClose()
  }

  readonly #onDrain = (): void => {
    if (this.closed) return
    this.#setTimeout(0)
    this.#listener?.onDrain()
  }

  readonly #onTimeout = (): void => {
    this.#listener?.onStall()
  }

  #setTimeout(milliseconds: number): void {
    const timed = isHttp2(this.#res) ? this.#res.stream : this.#req.socket
    timed.setTimeout(milliseconds)
  }
}
