import { Readable } from 'node:stream'
import type { TransportListener } from '../ports/transport.ts'
import type { WriteBatch } from '../ports/write-batch.ts'
import type { Request, Response } from './messages.ts'
import { ResponseTransport } from './response-transport.ts'

/** The time that an ended stream has to begin before its connection is cut, in milliseconds. */
const LINGER_MS = 5_000

// held ──pipe(response)──▶ direct: bytes go where those of a ResponseTransport go
//   └────read()──────────▶ piped: bytes go through the body, and through what the app has put behind it

/**
 * A Transport whose stream begins when a framework sends its {@link body}. Until then the framework's middlewares may
 * set headers, replace the body, or fail.
 */
export class HeldTransport extends ResponseTransport {
  readonly #res: Response
  #state: 'held' | 'direct' | 'piped' = 'held'
  /** What is to be written when the stream begins. */
  #held: WriteBatch[] = []
  #isEnded = false
  /** Whether the session waits for `onDrain`. */
  #isBusy = false
  #listener: TransportListener | undefined
  #writeTimeout = 0
  /** Runs while the session waits for the framework, or for a reader behind the body. */
  #timer: NodeJS.Timeout | undefined
  #body: Readable | undefined

  /** @param closing aborted when the Comet closes */
  constructor(req: Request, res: Response, closing: AbortSignal) {
    super(req, res, closing)
    this.#res = res
  }

  /** Whether the stream waits for the framework to send its body. */
  get isHeld(): boolean {
    return this.#state === 'held' && this.#held.length > 0 && !this.closed
  }

  /** Whether the framework has sent the body, and can only report how its connection ends. */
  get isSent(): boolean {
    return this.#state !== 'held' && this.failed === undefined
  }

  /** The body for the framework to send. It begins the stream when it is piped. */
  get body(): Readable {
    this.#body ??= this.#makeBody()
    return this.#body
  }

  override listen(listener: TransportListener, writeTimeout: number): void {
    this.#listener = listener
    this.#writeTimeout = writeTimeout
    super.listen(listener, writeTimeout)
  }

  override open(first: WriteBatch): boolean {
    // The session must wait, as after a write that was not taken at once.
    return this.#hold(first)
  }

  override write(batch: WriteBatch): boolean {
    if (this.#state === 'direct') return super.write(batch)
    return this.#state === 'piped' ? this.#push(batch) : this.#hold(batch)
  }

  override end(): void {
    if (this.#state === 'direct') {
      super.end()
      return
    }
    this.#wait(() => this.destroy(), LINGER_MS)
    this.#isEnded = true
    if (this.#state === 'piped') this.#body?.push(null)
  }

  override destroy(): void {
    this.#body?.destroy()
    super.destroy()
  }

  #makeBody(): Readable {
    const body = new Readable({
      read: () => this.#onRead(),
      destroy: (error, done) => {
        clearTimeout(this.#timer)
        // The framework sends something else. A stream that has begun ends with its response.
        if (this.#state !== 'direct') this.abandon()
        done(error)
      },
    })
    body.on('error', ignore)
    const { pipe } = body
    body.pipe = (destination, options) => {
      if (destination !== (this.#res as unknown)) return pipe.call(body, destination, options) as never
      this.#beginDirect()
      return destination
    }
    return body
  }

  /** @throws what made it impossible to send the head */
  #beginDirect(): void {
    if (this.#state !== 'held') return
    clearTimeout(this.#timer)
    this.#state = 'direct'
    const [first, ...rest] = this.#held.splice(0)
    let takesMore = super.open(first as WriteBatch)
    if (this.failed !== undefined) throw this.failed.error
    for (const batch of rest) takesMore = super.write(batch)
    if (this.#isEnded) super.end()
    else if (takesMore) this.#listener?.onDrain()
  }

  #onRead(): void {
    if (this.#state === 'held') {
      this.#state = 'piped'
      this.hasBegun = true
      for (const batch of this.#held.splice(0)) this.#push(batch)
      if (this.#isEnded) this.#body?.push(null)
    } else if (this.#isBusy && !this.#isEnded) {
      clearTimeout(this.#timer)
      this.#isBusy = false
      this.#listener?.onDrain()
    }
  }

  #hold(batch: WriteBatch): false {
    if (!this.closed) this.#held.push(batch)
    this.#waitForDrain()
    return false
  }

  #push(batch: WriteBatch): boolean {
    if (this.closed) return true
    const takesMore = this.#body?.push(batch.bytes) === true
    if (!takesMore) this.#waitForDrain()
    return takesMore
  }

  #waitForDrain(): void {
    this.#isBusy = true
    if (!this.#isEnded) this.#wait(() => this.#listener?.onStall(), this.#writeTimeout)
  }

  #wait(act: () => void, milliseconds: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(act, milliseconds)
    this.#timer.unref()
  }
}

/** Listens for 'error' and does nothing: the response ends, too. Without a listener the error would crash the app. */
function ignore(): void {}
