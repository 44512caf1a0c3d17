import type { Transport, TransportListener } from '../ports/transport.ts'
import type { WriteBatch } from '../ports/write-batch.ts'
import type { Response } from './messages.ts'

/** The time that an ended stream has to send its rest before it is cut, in milliseconds. */
const LINGER_MS = 5_000

/** The time between two looks at an ended stream, whose reset Node.js may not emit, in milliseconds. */
const LOOK_MS = 250

const HEADERS = [
  ['Content-Type', 'text/event-stream'],
  // Compression, in the app or a proxy, would hold events back. `no-transform` forbids it.
  ['Cache-Control', 'no-cache, no-transform'],
  // Tells nginx not to buffer the response.
  ['X-Accel-Buffering', 'no'],
] as const

/** A Transport that is the body of an HTTP response: what HTTP/1 and HTTP/2 have in common. */
export abstract class ResponseTransport implements Transport {
  protected abstract readonly res: Response
  protected writeTimeout = 0
  #listener: TransportListener | undefined
  /** Removes the listeners that wait for a drain. Set while they wait. */
  #release: (() => void) | undefined
  #linger: NodeJS.Timeout | undefined
  /** True once `onClose` was called. */
  protected over = false

  /** True once nothing more can be written, whether an event has told so or not. */
  protected abstract get ended(): boolean

  /** Whether the client has reset the stream after its end. */
  protected abstract get wasReset(): boolean

  /** Sends the head and the first bytes. The headers of all streams are set. */
  protected abstract start(first: WriteBatch): boolean

  /** @returns false when not all could be sent at once */
  protected abstract send(batch: WriteBatch): boolean

  /** Prepares an answer whose length is known, and whose connection should serve on. */
  protected abstract prepareAnswer(): void

  /** What emits 'drain'. */
  protected abstract get drained(): NodeJS.EventEmitter

  /** Calls back when a write made no progress for the write timeout. @returns what ends this */
  protected abstract watchStall(onStall: () => void): () => void

  /** Cuts the stream. */
  protected abstract cut(): void

  /** Called once, when the stream is over. */
  protected abstract leave(): void

  /** For the constructor of each kind, when it is complete. */
  protected watch(): void {
    this.over = this.ended
    if (this.over) return
    this.res.on('close', this.onClose)
    this.res.on('error', ignore)
  }

  get closed(): boolean {
    // The app may have ended the response. Bytes after its end would be taken for the next response.
    return this.over || this.ended
  }

  listen(listener: TransportListener, writeTimeout: number): void {
    this.#listener = listener
    this.writeTimeout = writeTimeout
    if (this.over) listener.onClose()
  }

  open(first: WriteBatch): boolean {
    if (this.closed) return this.#drop()
    this.#setHeaders()
    return this.#sendOrWait(this.start(first))
  }

  write(batch: WriteBatch): boolean {
    return this.mayBeEnded() ? this.#drop() : this.#sendOrWait(this.send(batch))
  }

  /** Answers with a stream that is complete, in place of `open` and what follows. */
  answer(body: Buffer): void {
    if (this.closed) return
    const { res } = this
    this.#setHeaders()
    res.setHeader('Content-Length', body.length)
    this.prepareAnswer()
    res.statusCode = 200
    res.end(body)
  }

  end(): void {
    if (this.closed) return
    this.linger()
    this.res.end()
  }

  destroy(): void {
    this.cut()
    this.onClose()
  }

  /**
   * Tells whether the stream is over, as `closed`, but may be wrong for this turn of the event loop (see
   * {@link Transport.write}).
   */
  protected mayBeEnded(): boolean {
    return this.closed
  }

  protected readonly onClose = (): void => {
    if (this.over) return
    this.over = true
    clearInterval(this.#linger)
    this.#release?.()
    this.leave()
    this.#listener?.onClose()
  }

  /** Cuts the stream when its rest is not sent in time, or will never be. */
  protected linger(): void {
    let looks = LINGER_MS / LOOK_MS
    this.#linger = setInterval(() => {
      looks -= 1
      if (looks <= 0 || this.wasReset) this.destroy()
    }, LOOK_MS)
    this.#linger.unref()
  }

  #setHeaders(): void {
    for (const [name, value] of HEADERS) this.res.setHeader(name, value)
  }

  /**
   * Drops what was to be written. The app may have ended the response, which may not close for long, so the listener is
   * told now: in a microtask, because the caller may be amid the delivery of an event.
   */
  #drop(): false {
    if (!this.over) queueMicrotask(this.onClose)
    return false
  }

  #sendOrWait(takesMore: boolean): boolean {
    if (!takesMore) this.#awaitDrain()
    return takesMore
  }

  /** Waits until everything written was sent, and watches for a stall meanwhile. */
  #awaitDrain(): void {
    if (this.#release !== undefined || this.over) return
    const { drained } = this
    const onDrain = () => {
      if (this.#release !== release || this.closed) return
      release()
      this.#listener?.onDrain()
    }
    const unwatch = this.watchStall(() => {
      // A response that the app has ended is not cut otherwise, and the session cannot be told by it.
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
