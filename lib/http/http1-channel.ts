import type { ServerResponse } from 'node:http'
import type { WriteBatch } from '../ports/write-batch.ts'
import { type Channel, watchLength, writeBody } from './channel.ts'
import { type Connection, isOver } from './messages.ts'
import { mayBypassResponse } from './socket-bypass.ts'
import { endLine } from './turn.ts'

/**
 * The stream of a response over HTTP/1, whose turn on its connection has come (see `turn.ts`). Its head says that the
 * connection ends with it.
 *
 * Where it may, it writes chunks to the connection, past the response (see {@link mayBypassResponse}): a chunk is
 * encoded once for all sessions, and going through the response costs more than the write itself.
 */
export class Http1Channel implements Channel {
  readonly #connection: Connection
  readonly #res: ServerResponse
  /** Set when chunks go past the response. */
  #direct: Connection | undefined
  /** Whether the response was ended, by the app or by Comet. */
  #isResponseEnded: boolean

  constructor(connection: Connection, res: ServerResponse) {
    this.#connection = connection
    this.#res = res
    this.#isResponseEnded = isOver(connection, res)
    // Emitted within `res.end()`, whoever calls it, when the last bytes are written. Before other listeners, which may end
    // the session. Behind Express each look at the response instead would cost a twentieth of a delivery.
    res.prependListener('prefinish', () => {
      this.#isResponseEnded = true
    })
  }

  get ended(): boolean {
    // Node.js ends its side when the client has ended its own. A response that is destroyed destroys its connection.
    return this.#isResponseEnded || !this.#connection.writable
  }

  get wasReset(): boolean {
    return false
  }

  get bypassesResponse(): boolean {
    return this.#direct !== undefined
  }

  get drained(): NodeJS.EventEmitter {
    return this.#direct ?? this.#res
  }

  start(first: WriteBatch): boolean {
    const res = this.#res
    const connection = this.#connection
    // `server.close()` would wait for a connection that is kept alive. Clients that were not told would send their next
    // request on a connection that just ends.
    res.setHeader('Connection', 'close')
    // Corked, so that the head and the first bytes leave in one packet.
    connection.cork()
    try {
      res.writeHead(200)
      res.flushHeaders()
      connection.setTimeout?.(0)
      connection.setNoDelay?.(true)
      endLine(connection)
      if (mayBypassResponse(res, connection)) this.#direct = connection
      return this.send(first)
    } finally {
      connection.uncork()
    }
  }

  /** A chunk that the kernel took at once needs no drain, however large it is. */
  send(batch: WriteBatch): boolean {
    const direct = this.#direct
    if (direct === undefined) return writeBody(this.#res, batch.bytes)
    const isBelowMark = batch.isLargeFrame ? writePieces(direct, batch) : direct.write(batch.chunk)
    return isBelowMark || direct.writableLength === 0
  }

  prepareEnd(): void {
    // The client may never end its side, and a middleware may have changed what the head says.
    this.#res.once('finish', () => endConnection(this.#connection))
  }

  watchStall(milliseconds: number, onStall: () => void): () => void {
    const res = this.#res
    const connection = this.#connection
    if (connection.setTimeout === undefined) return watchLength(connection, milliseconds, onStall)
    // A 'timeout' listener on the response keeps Node.js from cutting the connection.
    res.on('timeout', onStall)
    // Every byte that goes out restarts Node.js's socket timeout, so it fires for a write without progress only.
    connection.setTimeout(milliseconds)
    return () => {
      res.off('timeout', onStall)
      connection.setTimeout?.(0)
    }
  }

  cut(): void {
    // Not `res.destroy()`: the app may have replaced it.
    this.#connection.destroy()
  }

  leave(): void {}
}

/** Writes a large frame as it is: its chunk would be a copy. */
function writePieces(connection: Connection, { chunkPieces: [head, bytes, end] }: WriteBatch): boolean {
  connection.cork()
  connection.write(head)
  connection.write(bytes)
  const isBelowMark = connection.write(end)
  connection.uncork()
  return isBelowMark
}

/** Ends a connection when everything was sent, whether or not the client ends its side. */
function endConnection(connection: Connection): void {
  if (connection.destroySoon !== undefined) connection.destroySoon()
  else connection.end(() => connection.destroy())
}
