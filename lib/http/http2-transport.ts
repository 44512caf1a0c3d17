import { constants, type Http2ServerResponse } from 'node:http2'
import type { WriteBatch } from '../ports/write-batch.ts'
import { Http2Connection } from './http2-connection.ts'
import { isOver } from './messages.ts'
import { ResponseTransport } from './response-transport.ts'
import { writeBody } from './write-body.ts'

/**
 * A Transport that is the body of a response over HTTP/2. Its end ends its stream only; see {@link Http2Connection}.
 *
 * Node.js tells in several ways that a stream is over. When the client resets it with NO_ERROR amid a write, 'close'
 * never comes (seen in Node.js 20 to 24), but 'aborted' does. When the client does so after the end of the response,
 * there is no event at all, and `closed` is true.
 */
export class Http2Transport extends ResponseTransport {
  protected readonly res: Http2ServerResponse
  readonly #connection: Http2Connection | undefined

  /** @param closing aborted when the Comet closes */
  constructor(res: Http2ServerResponse, closing: AbortSignal) {
    super()
    this.res = res
    this.watch()
    const session = res.stream?.session
    if (this.closed || session === undefined) return
    res.stream.on('aborted', this.#onAborted)
    this.#connection = Http2Connection.of(session)
    this.#connection.add(this.onClose, closing)
  }

  /** Node.js would keep the stream, and its response would not be closed. Later, because Node.js is amid closing it. */
  readonly #onAborted = (): void => {
    process.nextTick(() => this.res.stream.destroy())
    this.onClose()
  }

  protected get ended(): boolean {
    return isOver(undefined, this.res)
  }

  protected get wasReset(): boolean {
    return this.res.stream.closed
  }

  protected get drained(): NodeJS.EventEmitter {
    return this.res
  }

  protected start(first: WriteBatch): boolean {
    this.#connection?.open(this.onClose)
    this.res.stream.setTimeout(0)
    this.res.writeHead(200)
    return this.send(first)
  }

  protected send(batch: WriteBatch): boolean {
    return writeBody(this.res, batch.bytes)
  }

  protected prepareAnswer(): void {
    // The client may not let even this answer be sent.
    this.linger()
  }

  protected watchStall(onStall: () => void): () => void {
    const { stream } = this.res
    stream.on('timeout', onStall)
    stream.setTimeout(this.writeTimeout)
    return () => {
      stream.off('timeout', onStall)
      stream.setTimeout(0)
    }
  }

  protected cut(): void {
    const { stream } = this.res
    // Does nothing for a stream that the client has reset.
    stream?.close(constants.NGHTTP2_CANCEL)
    stream?.destroy()
  }

  protected leave(): void {
    this.#connection?.remove(this.onClose)
  }
}
