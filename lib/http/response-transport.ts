import type { ServerResponse } from 'node:http'
import type { Http2ServerResponse } from 'node:http2'
import type { Transport, TransportListener } from '../ports/transport.ts'
import type { WriteBatch } from '../ports/write-batch.ts'
import type { Channel } from './channel.ts'
import { endStream } from './end-stream.ts'
import { Http1Channel } from './http1-channel.ts'
import { Http2Channel } from './http2-channel.ts'
import { connectionOf, type Request, type Response } from './messages.ts'

/** The time that an ended stream has to send its rest before it is cut, in milliseconds. */
const LINGER_MS = 5_000

/** The time between two looks at an ended stream, which the client may have reset, in milliseconds. */
const LOOK_MS = 250

/** The headers of every stream. */
export const HEADERS = [
  ['Content-Type', 'text/event-stream'],
  // Compression, in the app or a proxy, would hold events back. `no-transform` forbids it.
  ['Cache-Control', 'no-cache, no-transform'],
  // Tells nginx not to buffer the response.
  ['X-Accel-Buffering', 'no'],
] as const

/**
 * A Transport that is the body of an HTTP response.
 *
 * It reads as few properties of the response as possible: Express gives each response a hidden class of its own, so
 * that V8 cannot cache a lookup, and each costs a twentieth of a delivery (docs/performance.md).
 */
export class ResponseTransport implements Transport {
  readonly #res: Response
  readonly #channel: Channel
  #listener: TransportListener | undefined
  #writeTimeout = 0
  /** Removes the listeners that wait for a drain. Set while they wait. */
  #release: (() => void) | undefined
  #linger: NodeJS.Timeout | undefined
  #over: boolean
  /** Whether the head is the one of this stream. */
  protected hasBegun = false
  /** What made it impossible to send the head. The response was not answered then. */
  failed: { readonly error: unknown } | undefined

  /** @param closing aborted when the Comet closes */
  constructor(req: Request, res: Response, closing: AbortSignal) {
    this.#res = res
    const connection = connectionOf(req)
    this.#channel =
      connection === undefined
        ? new Http2Channel(res as Http2ServerResponse, closing, () => this.#onClose())
        : new Http1Channel(connection, res as ServerResponse)
    this.#over = this.#channel.ended
    if (this.#over) return
    res.on('close', this.#onClose)
    res.on('error', ignore)
  }

  get closed(): boolean {
    // The app may have ended the response. Bytes after its end would be taken for the next response.
    if (this.#over || this.#channel.ended) return true
    // The app has sent a head of its own.
    return !this.hasBegun && this.#res.headersSent
  }

  listen(listener: TransportListener, writeTimeout: number): void {
    this.#listener = listener
    this.#writeTimeout = writeTimeout
    if (this.#over) listener.onClose()
  }

  open(first: WriteBatch): boolean {
    if (this.closed) {
      this.abandon()
      return true
    }
    this.hasBegun = true
    try {
      for (const [name, value] of HEADERS) this.#res.setHeader(name, value)
      return this.#sent(this.#channel.start(first))
    } catch (error) {
      // A hook that a middleware has put on the head threw.
      this.failed = { error }
      this.#takeBack()
      this.abandon()
      return true
    }
  }

  /** Ends the session, and leaves the response to the app. */
  protected abandon(): void {
    this.#onClose()
  }

  /** Leaves the response as it was before {@link open}, for the answer of the app's error handling. */
  #takeBack(): void {
    if (this.#res.headersSent) return
    for (const [name] of HEADERS) this.#res.removeHeader(name)
    this.#res.removeHeader('Connection')
  }

  write(batch: WriteBatch): boolean {
    if (this.#over || this.#channel.ended) return this.#drop()
    return this.#sent(this.#channel.send(batch))
  }

  end(): void {
    if (this.closed) return
    this.#cutLater()
    this.#channel.prepareEnd()
    endStream(this.#res, this.#channel.bypassesResponse)
  }

  destroy(): void {
    this.#channel.cut()
    this.#onClose()
  }

  readonly #onClose = (): void => {
    if (this.#over) return
    this.#over = true
    clearInterval(this.#linger)
    this.#release?.()
    this.#channel.leave()
    this.#listener?.onClose()
  }

  /**
   * Drops what was to be written. The app may have ended the response, which may not close for long, so the listener is
   * told now: in a microtask, because the caller may be amid the delivery of an event.
   */
  #drop(): false {
    if (!this.#over) queueMicrotask(this.#onClose)
    return false
  }

  /** Cuts the stream when its rest is not sent in time, or will never be. */
  #cutLater(): void {
    let looks = LINGER_MS / LOOK_MS
    this.#linger = setInterval(() => {
      looks -= 1
      if (looks <= 0 || this.#channel.wasReset) this.destroy()
    }, LOOK_MS)
    this.#linger.unref()
  }

  #sent(takesMore: boolean): boolean {
    if (!takesMore) this.#awaitDrain()
    return takesMore
  }

  /** Waits until everything written was sent, and watches for a stall meanwhile. */
  #awaitDrain(): void {
    if (this.#release !== undefined || this.#over) return
    const { drained } = this.#channel
    const onDrain = () => {
      if (this.#release !== release || this.closed) return
      release()
      this.#listener?.onDrain()
    }
    const unwatch = this.#channel.watchStall(this.#writeTimeout, () => {
      // The session cannot end a response that the app has ended, and nothing else would cut it.
      if (this.closed) this.destroy()
      else this.#listener?.onStall()
    })
    const release = () => {
      this.#release = undefined
      drained.off('drain', onDrain)
      unwatch()
    }
    this.#release = release
    drained.on('drain', onDrain)
  }
}

/** Listens for 'error' and does nothing: 'close' follows. Without a listener the error would crash the app. */
function ignore(): void {}
