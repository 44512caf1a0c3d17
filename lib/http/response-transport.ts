import type { Socket } from 'node:net'
import type { Transport, TransportListener } from '../ports/transport.ts'
import type { WriteBatch } from '../ports/write-batch.ts'
import { connectionOf, isHttp2, isOver, type Request, type Response } from './messages.ts'
import { mayBypassResponse } from './socket-bypass.ts'

/** The time that an ended stream has to send its rest before its connection is cut, in milliseconds. */
const LINGER_MS = 5_000

const HEADERS = [
  ['Content-Type', 'text/event-stream'],
  // Compression, in the app or a proxy, would hold events back. `no-transform` forbids it.
  ['Cache-Control', 'no-cache, no-transform'],
  // Tells nginx not to buffer the response.
  ['X-Accel-Buffering', 'no'],
] as const

/**
 * A Transport that is the body of an HTTP response.
 *
 * Where it may, it writes chunks to the socket, past the response (see {@link mayBypassResponse}): a chunk is encoded
 * once for all sessions, and going through the response costs more than the write itself.
 *
 * It reads as few properties of the response as possible: Express gives each response a hidden class of its own, so
 * that V8 cannot cache a lookup, and each costs a twentieth of a delivery (docs/performance.md).
 */
export class ResponseTransport implements Transport {
  readonly #res: Response
  readonly #connection: Socket | undefined
  /** Whether the response waited behind another one on its connection (pipelining) when the stream was made. */
  #isAwaited = false
  #listener: TransportListener | undefined
  #writeTimeout = 0
  /** Set when chunks go past the response. */
  #socket: Socket | undefined
  /** Removes the listeners that wait for a drain. Set while they wait. */
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
    // A response that waits behind another one does not emit 'close' when the connection closes.
    if (res.socket === null) {
      this.#isAwaited = true
      this.#connection?.once('close', this.#onClose)
    }
  }

  get closed(): boolean {
    // The app may have ended the response. Bytes after its end would be taken for the next response.
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
    // Node.js would add this header itself; setting it here lets `mayBypassResponse` check it.
    if (res.req.httpVersion === '1.1') res.setHeader('Transfer-Encoding', 'chunked')
    socket.setTimeout(0)
    socket.setNoDelay(true)
    // Corked, so that the head and the first bytes leave in one packet.
    socket.cork()
    res.writeHead(200)
    res.flushHeaders()
    if (mayBypassResponse(res, socket)) this.#socket = socket
    const takesMore = this.#send(first)
    socket.uncork()
    return takesMore
  }

  write(batch: WriteBatch): boolean {
    return !this.#isEnded() && this.#send(batch)
  }

  end(): void {
    if (this.closed) return
    const res = this.#res
    this.#linger = setTimeout(() => this.destroy(), LINGER_MS)
    this.#linger.unref()
    // `server.close()` would wait for a connection that is kept alive, and for one whose client does not end its side.
    // Over HTTP/2 GOAWAY tells the client to use another connection (RFC 9113, section 6.8).
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
    // Not `res.destroy()`: a response that waits behind another one has no socket yet.
    else this.#connection?.destroy()
  }

  /**
   * Tells whether the stream is over, as `closed`, but may miss a response that the app ended in this very turn of the
   * event loop. It avoids the lookup on the response, which behind Express is a twentieth of the whole write. A turn
   * later, when the socket has sent all it had, the end was sent too and 'close' was emitted.
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
    const takesMore = this.#socket === undefined ? this.#writeBody(batch.bytes) : writeTo(this.#socket, batch)
    if (!takesMore) this.#awaitDrain()
    return takesMore
  }

  #writeBody(bytes: Buffer): boolean {
    const res = this.#res as Response & { flush?: () => void }
    const takesMore = (res as { write(bytes: Buffer): boolean }).write(bytes)
    // A compression middleware that ignores `no-transform` holds back what is not flushed.
    if (typeof res.flush === 'function') res.flush()
    return takesMore
  }

  /** Waits until everything written was sent, and watches for a stall meanwhile. */
  #awaitDrain(): void {
    if (this.#release !== undefined) return
    const res = this.#res
    const source: NodeJS.EventEmitter = this.#socket ?? res
    // A 'timeout' listener on the response keeps Node.js from cutting the connection.
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
    // Every byte that goes out restarts Node.js's socket timeout, so it fires for a write without progress only.
    timer.setTimeout(this.#writeTimeout)
  }
}

/** Listens for 'error' and does nothing: 'close' follows. Without a listener the error would crash the app. */
function ignore(): void {}

/** Writes a chunk. A chunk that the kernel took at once needs no drain, however large it is. */
function writeTo(socket: Socket, batch: WriteBatch): boolean {
  const isBelowMark = batch.isLargeFrame ? writePieces(socket, batch) : socket.write(batch.chunk)
  return isBelowMark || socket.writableLength === 0
}

/** Writes a large frame as it is: its chunk would be a copy. */
function writePieces(socket: Socket, { chunkPieces: [head, bytes, end] }: WriteBatch): boolean {
  socket.cork()
  socket.write(head)
  socket.write(bytes)
  const isBelowMark = socket.write(end)
  socket.uncork()
  return isBelowMark
}
