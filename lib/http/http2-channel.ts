import { constants, type Http2ServerResponse } from 'node:http2'
import type { WriteBatch } from '../ports/write-batch.ts'
import { type Channel, watchLength, writeBody } from './channel.ts'
import { Http2Connection } from './http2-connection.ts'
import { isOver } from './messages.ts'

/**
 * The stream of a response over HTTP/2. Its end ends no connection; see {@link Http2Connection}.
 *
 * Node.js tells in several ways that a stream is over. When the client resets it with NO_ERROR amid a write, 'close'
 * never comes (seen in Node.js 20 to 24), but 'aborted' does. When the client does so after the end of the response,
 * there is no event at all, and `closed` is true.
 */
export class Http2Channel implements Channel {
  readonly #res: Http2ServerResponse
  readonly #onOver: () => void
  readonly #connection: Http2Connection | undefined

  /**
   * @param closing aborted when the Comet closes
   * @param onOver called when the stream is over, unless 'close' of the response tells so; may be called twice
   */
  constructor(res: Http2ServerResponse, closing: AbortSignal, onOver: () => void) {
    this.#res = res
    this.#onOver = onOver
    const session = res.stream?.session
    if (this.ended || session === undefined) return
    res.stream.on('aborted', this.#onAborted)
    this.#connection = Http2Connection.of(session)
    this.#connection.add(onOver, closing)
  }

  get ended(): boolean {
    return isOver(undefined, this.#res)
  }

  get wasReset(): boolean {
    return this.#res.stream.closed
  }

  get bypassesResponse(): boolean {
    return false
  }

  get drained(): NodeJS.EventEmitter {
    return this.#res
  }

  start(first: WriteBatch): boolean {
    const res = this.#res
    res.writeHead(200)
    res.stream.setTimeout(0)
    this.#connection?.open(this.#onOver)
    return this.send(first)
  }

  send(batch: WriteBatch): boolean {
    return writeBody(this.#res, batch.bytes)
  }

  prepareEnd(): void {}

  watchStall(milliseconds: number, onStall: () => void): () => void {
    const { stream } = this.#res
    stream.on('timeout', onStall)
    stream.setTimeout(milliseconds)
    // To Node.js the bytes of any stream on the connection are progress of this one.
    const unwatch = watchLength(stream, milliseconds, onStall)
    return () => {
      unwatch()
      stream.off('timeout', onStall)
      stream.setTimeout(0)
    }
  }

  cut(): void {
    const { stream } = this.#res
    // Does nothing for a stream that the client has reset.
    stream?.close(constants.NGHTTP2_CANCEL)
    stream?.destroy()
  }

  leave(): void {
    this.#connection?.remove(this.#onOver)
  }

  /** Node.js would keep the stream, and not close its response. Later, because Node.js is amid closing the stream. */
  readonly #onAborted = (): void => {
    process.nextTick(() => this.#res.stream.destroy())
    this.#onOver()
  }
}
