import type { Socket } from 'node:net'
import type { Transport, TransportListener } from '../ports/transport.ts'
import type { WriteBatch } from '../ports/write-batch.ts'
import { connectionOf, isHttp2, isOver, type Request, type Response } from './messages.ts'
import { mayBypassResponse } from './socket-bypass.ts'

/** How long an ended stream may take to send its rest before the connection is cut. */
const LINGER_MS = 5_000

const HEADERS = [
  ['Content-Type', 'text/event-stream'],
  // no-transform keeps compression, ours and any proxy's, from holding events back.
  ['Cache-Control', 'no-cache, no-transform'],
  // nginx would buffer the response otherwise.
  ['X-Accel-Buffering', 'no'],
] as const

/**
 * A stream as the body of an HTTP response.
 *
 * Where it can, it writes its chunks to the socket itself (see {@link mayBypassResponse}): they are made once for all
 * sessions, and the way through the response costs more than the write.
 *
 * Behind Express every response has a hidden class of its own, so that whatever is asked of it is looked up anew: what
 * need not be asked is not.
 */
export class ResponseTransport implements Transport {
  readonly #res: Response
  readonly #connection: Socket | undefined
  /** Whether the response waited behind another one on its connection. */
  #isAwaited = false
  #listener: TransportListener | undefined
  #writeTimeout = 0
  /** Set when chunks go to the socket directly. */
  #socket: Socket | undefined
  /** Takes back what waits for the response to drain; set while something does. */
  #release: (() => void) | undefined
  #linger: NodeJS.Timeout | undefined
  #over: boolean

  constructor(req: Request, res: Response) {
    this.#res = res
    this.#connection = connectionOf(req)
    this.#over = isOver(this.#connection, res)
    if (this.#over) return
    res.on('close', this.#onClose)
    res.on('error', ignore)
    // A response that waits behind another one is not told when the connection goes.
    if (res.socket === null) {
      this.#isAwaited = true
      this.#connection?.once('close', this.#onClose)
    }
  }

  get closed(): boolean {
    // The host may have ended the response. What comes after would be taken for the next one.
    return this.#over || isOver(this.#connection, this.#res)
  }

  listen(listener: TransportListener, writeTimeout: number): void {
    this.#listener = listener
    this.#writeTimeout = writeTimeout
    if (this.#over) listener.onClose()
  }

  open(first: WriteBatch): boolean {
    const res = this.#res
    for (const [name, value] of HEADERS) res.setHeader(name, value)
    if (isHttp2(res)) {
      res.stream.session?.setTimeout(0)
      res.writeHead(200)
      return this.#send(first)
    }
    const socket = this.#connection as Socket
    // As Node would have it anyway. Said here, it is known.
    if (res.req.httpVersion === '1.1') res.setHeader('Transfer-Encoding', 'chunked')
    socket.setTimeout(0)
    socket.setNoDelay(true)
    // The head and the first bytes go out together.
    socket.cork()
    res.writeHead(200)
    res.flushHeaders()
    if (mayBypassResponse(res, socket)) this.#socket = socket
    const goOn = this.#send(first)
    socket.uncork()
    return goOn
  }

  write(batch: WriteBatch): boolean {
    return !this.#isEnded() && this.#send(batch)
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
      res.once('finish', () => this.#connection?.destroySoon())
    }
    res.end()
  }

  destroy(): void {
    if (isHttp2(this.#res)) this.#res.stream?.destroy()
    // Not by the response: one that waits behind another has no socket yet.
    else this.#connection?.destroy()
  }

  /**
   * As `closed`, but may not know yet of a response that the host ended in this very turn. Behind Express a look at the
   * response costs a twentieth of the whole write. There is no need for it once a turn is over and the socket has sent
   * all it had: the end of the response was sent, too, then, and told.
   */
  #isEnded(): boolean {
    if (this.#over || this.#socket === undefined || this.#socket.writableLength > 0) return this.closed
    return false
  }

  readonly #onClose = (): void => {
    this.#over = true
    clearTimeout(this.#linger)
    this.#release?.()
    if (this.#isAwaited) this.#connection?.off('close', this.#onClose)
    this.#listener?.onClose()
  }

  #send(batch: WriteBatch): boolean {
    const goOn =
      this.#socket === undefined ? this.#writeBody(batch.bytes) : writeTo(this.#socket, batch.chunk)
    if (!goOn) this.#hold()
    return goOn
  }

  #writeBody(bytes: Buffer): boolean {
    const res = this.#res as Response & { flush?: () => void }
    const goOn = (res as { write(bytes: Buffer): boolean }).write(bytes)
    // The compression middleware, made to compress in spite of no-transform, holds back what is not flushed.
    if (typeof res.flush === 'function') res.flush()
    return goOn
  }

  /** Waits for what was written to be sent. */
  #hold(): void {
    if (this.#release !== undefined) return
    const res = this.#res
    const source: NodeJS.EventEmitter = this.#socket ?? res
    // On the response: heard there, a timeout is no reason for Node to cut the connection.
    const [timed, timer] = isHttp2(res) ? [res.stream, res.stream] : [res, this.#connection as Socket]
    const onTimeout = () => this.#listener?.onStall()
    const onDrain = () => {
      if (this.#release !== release || this.closed) return
      release()
      this.#listener?.onDrain()
    }
    const release = () => {
      this.#release = undefined
      source.off('drain', onDrain)
      timed.off('timeout', onTimeout)
      timer.setTimeout(0)
    }
    this.#release = release
    source.on('drain', onDrain)
    timed.on('timeout', onTimeout)
    // Node's socket timeout is put off by every byte that goes out: what it finds is a write without progress.
    timer.setTimeout(this.#writeTimeout)
  }
}

/** A write that fails is followed by 'close', or is none of ours. Unheard, the error would crash the host. */
function ignore(): void {}

/** What the kernel has taken at once need not be waited for, however large it was. */
function writeTo(socket: Socket, chunk: Buffer): boolean {
  return socket.write(chunk) || socket.writableLength === 0
}
