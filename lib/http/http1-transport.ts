import type { ServerResponse } from 'node:http'
import type { WriteBatch } from '../ports/write-batch.ts'
import { type Connection, isOver } from './messages.ts'
import { ResponseTransport } from './response-transport.ts'
import { mayBypassResponse } from './socket-bypass.ts'
import { endLine } from './turn.ts'
import { writeBody } from './write-body.ts'

/**
 * A Transport that is the body of a response over HTTP/1, whose turn on its connection has come (see `turn.ts`). Its
 * head says that the connection ends with it.
 *
 * Where it may, it writes chunks to the socket, past the response (see {@link mayBypassResponse}): a chunk is encoded
 * once for all sessions, and going through the response costs more than the write itself.
 *
 * It reads as few properties of the response as possible: Express gives each response a hidden class of its own, so
 * that V8 cannot cache a lookup, and each costs a twentieth of a delivery (docs/performance.md).
 */
export class Http1Transport extends ResponseTransport {
  protected readonly res: ServerResponse
  readonly #connection: Connection
  readonly #closing: AbortSignal
  /** Set when chunks go past the response. */
  #direct: Connection | undefined

  /** @param closing aborted when the Comet closes */
  constructor(connection: Connection, res: ServerResponse, closing: AbortSignal) {
    super()
    this.res = res
    this.#connection = connection
    this.#closing = closing
    this.watch()
  }

  protected get ended(): boolean {
    // Node.js ends its side when the client has ended its own.
    return !this.#connection.writable || isOver(this.#connection, this.res)
  }

  protected get wasReset(): boolean {
    return false
  }

  protected get drained(): NodeJS.EventEmitter {
    return this.#direct ?? this.res
  }

  protected start(first: WriteBatch): boolean {
    const { res } = this
    const connection = this.#connection
    // `server.close()` would wait for a connection that is kept alive. Clients that were not told would send their next
    // request on a connection that just ends.
    res.setHeader('Connection', 'close')
    // Node.js would add this header itself; setting it here lets `mayBypassResponse` check it.
    if (res.req.httpVersion === '1.1') res.setHeader('Transfer-Encoding', 'chunked')
    endLine(connection)
    connection.setTimeout?.(0)
    connection.setNoDelay?.(true)
    // Corked, so that the head and the first bytes leave in one packet.
    connection.cork()
    res.writeHead(200)
    res.flushHeaders()
    if (mayBypassResponse(res, connection)) this.#direct = connection
    const takesMore = this.send(first)
    connection.uncork()
    return takesMore
  }

  protected send(batch: WriteBatch): boolean {
    return this.#direct === undefined ? writeBody(this.res, batch.bytes) : writeTo(this.#direct, batch.chunk)
  }

  protected prepareAnswer(): void {
    if (this.#closing.aborted) this.res.setHeader('Connection', 'close')
  }

  override end(): void {
    // The client may never end its side, and a middleware may have changed what the head says.
    if (!this.closed) this.res.once('finish', () => endConnection(this.#connection))
    super.end()
  }

  /**
   * Tells whether the stream is over, as `closed`, but may miss a response that the app ended in this very turn of the
   * event loop. It avoids the lookup on the response, which behind Express is a twentieth of the whole write. A turn
   * later, when the socket has sent all it had, the end was sent too and 'close' was emitted.
   */
  protected override mayBeEnded(): boolean {
    if (this.over || this.#direct === undefined || this.#direct.writableLength > 0) return this.closed
    return false
  }

  protected watchStall(onStall: () => void): () => void {
    const { res } = this
    const connection = this.#connection
    if (connection.setTimeout === undefined) return watchLength(connection, this.writeTimeout, onStall)
    // A 'timeout' listener on the response keeps Node.js from cutting the connection.
    res.on('timeout', onStall)
    // Every byte that goes out restarts Node.js's socket timeout, so it fires for a write without progress only.
    connection.setTimeout(this.writeTimeout)
    return () => {
      res.off('timeout', onStall)
      connection.setTimeout?.(0)
    }
  }

  protected cut(): void {
    this.#connection.destroy()
  }

  protected leave(): void {}
}

/** Writes a chunk. A chunk that the kernel took at once needs no drain, however large it is. */
function writeTo(connection: Connection, chunk: Buffer): boolean {
  return connection.write(chunk) || connection.writableLength === 0
}

/** Watches a connection that has no timeout of its own: calls back when it has taken nothing between two looks. */
function watchLength(connection: Connection, interval: number, onStall: () => void): () => void {
  let length = connection.writableLength
  const timer = setInterval(() => {
    const hasMoved = connection.writableLength < length
    length = connection.writableLength
    if (!hasMoved) onStall()
  }, interval)
  timer.unref()
  return () => clearInterval(timer)
}

/** Ends a connection when everything was sent, whether or not the client ends its side. */
function endConnection(connection: Connection): void {
  if (connection.destroySoon !== undefined) connection.destroySoon()
  else connection.end(() => connection.destroy())
}
