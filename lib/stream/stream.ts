import type { Transport, TransportListener } from '../ports/transport.ts'
import { Batch } from '../ports/write-batch.ts'
import type { Flusher } from './flusher.ts'
import type { Pending } from './pending-frames.ts'
import { type Owed, Replay } from './replay.ts'
import { encodeControl } from './sse.ts'
import { Outbox } from './write-queue.ts'

/** What a stream needs of the node it is on; one for all streams. */
export interface StreamHost {
  readonly flusher: Flusher
  readonly options: { readonly maxBufferedBytes: number }
}

/** Has no position: those of what is owed come in their turn. */
const BARE_HEARTBEAT = new Batch([encodeControl('heartbeat', {})])

/** What one client is owed: it goes in ordered, and out in one write a turn of the event loop. */
export abstract class Stream implements TransportListener {
  protected readonly host: StreamHost
  readonly #transport: Transport
  /** Set while the transport holds back. */
  #outbox: Outbox | undefined
  #pending: Pending | undefined
  /** Set while the stream has yet to catch up with what is published. */
  #replay: Replay | undefined = new Replay()
  /** Whether a heartbeat goes out with the next piece of a replay. */
  #beats = false
  /** Whether it is about to be ended because it is read too slowly. */
  #isTooSlow = false
  #state: 'opening' | 'open' | 'closed' = 'opening'
  #isGone = false
  #onGone: (() => void) | undefined

  constructor(host: StreamHost, transport: Transport) {
    this.host = host
    this.#transport = transport
  }

  /** Has the stream ended by the one close path: the client is gone, or reads too slowly. */
  protected abstract end(code: 'GONE' | 'SLOW'): void

  /** The client has taken what it was sent. */
  protected abstract heard(): void

  /** Whether it has caught up: it takes frames by {@link push}, and until then what it is owed by {@link owe}. */
  get live(): boolean {
    return this.#replay === undefined
  }

  get closed(): boolean {
    return this.#state === 'closed'
  }

  /** Whether the client has gone, though the stream may not have been told. */
  get lost(): boolean {
    return this.#transport.closed
  }

  /** True until the stream has begun. */
  get opening(): boolean {
    return this.#state === 'opening'
  }

  /** Sends a live stream a frame. The same Buffer should be given to all sessions that get it. */
  push(frame: Buffer): void {
    if (this.#state === 'closed') return
    this.#pending ??= this.host.flusher.add(this)
    this.#pending = this.#pending.with(frame)
  }

  /** Owes something to a stream that has yet to catch up. */
  owe(item: Owed): void {
    if (this.#state === 'closed' || this.#isTooSlow || this.#replay === undefined) return
    this.#replay.add(item)
    if (this.#replay.exceeds(this.host.options.maxBufferedBytes)) this.#endSlow()
  }

  /** Sends a heartbeat: in its order, or while the stream catches up as soon as something can be sent. */
  beat(frame: Buffer): void {
    if (this.live) this.push(frame)
    else this.#beats = true
  }

  /** Sends some of the past at the pace at which it is read. What is published meanwhile comes after it. */
  recall(items: readonly Owed[]): void {
    if (this.#state === 'closed' || items.length === 0 || this.lost) return
    if (this.live) this.flush()
    this.#replay ??= new Replay()
    this.#replay.recall(items)
    this.#catchUp()
  }

  /** Puts what the client missed before what it has been owed since. @returns false when there is nothing of either */
  resume(missed: readonly Owed[]): boolean {
    this.#replay?.begin(missed)
    return this.#replay?.isEmpty === false
  }

  /** Accepts the client, whose stream begins with `first` and goes on with what it is owed, if anything. */
  open(first: readonly Buffer[]): void {
    if (this.#state === 'opening') this.#begin(first, this.#replay?.take())
  }

  /** Writes what is pending. */
  flush(): void {
    if (this.#replay !== undefined || this.#state !== 'open') return
    const batch = this.#pending?.batch()
    this.#pending = undefined
    if (batch === undefined) return
    this.#write(batch)
    if (this.#outbox !== undefined && this.#outbox.excess > this.host.options.maxBufferedBytes) {
      this.#endSlow()
    }
  }

  /**
   * Ends the stream: what is pending and then `last` go out, and the stream ends. Without `last` a stream that
   * has not begun is left to whoever accepted the request.
   *
   * @returns false when it had ended before
   */
  close(last?: Buffer): boolean {
    if (this.#state === 'closed') return false
    let farewell = last
    if (this.#state === 'opening' && farewell !== undefined) {
      const owed = this.#replay?.take()
      this.#begin(owed === undefined ? [farewell] : [], owed)
      if (owed === undefined) farewell = undefined
    }
    const takesMore = this.#state === 'open' && !this.lost
    // Before the transport is ended, which may say so at once.
    this.#state = 'closed'
    if (takesMore) {
      // What waits would be held for a reader that may never read on. It comes back for it.
      const batch = this.#outbox === undefined ? this.#pending?.batch() : undefined
      if (batch !== undefined) this.#transport.write(batch)
      if (farewell !== undefined) this.#transport.write(new Batch([farewell]))
      this.#transport.end()
    }
    this.#outbox = undefined
    this.#pending = undefined
    this.#replay = undefined
    return true
  }

  /** Settles when nothing of the stream is left; past `deadline` milliseconds what could not be sent is given up. */
  async gone(deadline: number): Promise<void> {
    if (this.#isGone) return
    const timer = setTimeout(() => this.#transport.destroy(), deadline)
    await new Promise<void>((resolve) => {
      this.#onGone = resolve
    })
    clearTimeout(timer)
  }

  onClose(): void {
    this.#isGone = true
    this.#onGone?.()
    this.end('GONE')
  }

  onDrain(): void {
    // Only who reads acknowledges. Heartbeats lie behind what is still on its way, and so do their answers.
    this.heard()
    if (this.#outbox?.drain(this.#transport)) this.#outbox = undefined
    this.#catchUp()
  }

  onStall(): void {
    this.end('SLOW')
  }

  /** @param owed the first piece of the replay: it goes out with `first` */
  #begin(first: readonly Buffer[], owed: Buffer | undefined): void {
    this.#state = 'open'
    const batch = new Batch(owed === undefined ? first : [...first, owed])
    if (!this.#transport.open(batch)) this.#outbox = new Outbox()
    this.#catchUp()
  }

  #write(batch: Batch): void {
    if (this.#outbox !== undefined) this.#outbox.add(batch)
    else if (!this.#transport.write(batch)) this.#outbox = new Outbox()
  }

  /** Writes the replay as fast as it is sent. */
  #catchUp(): void {
    while (this.#replay !== undefined && this.#state === 'open' && this.#outbox === undefined) {
      if (this.#beats) this.#write(BARE_HEARTBEAT)
      this.#beats = false
      const piece = this.#replay.take()
      if (piece === undefined) this.#replay = undefined
      else this.#write(new Batch([piece]))
    }
  }

  /** Not at once: this is amid the delivery of an event, which hooks must not see the middle of. */
  #endSlow(): void {
    if (this.#isTooSlow) return
    this.#isTooSlow = true
    queueMicrotask(() => this.end('SLOW'))
  }
}
