import type { Transport, TransportListener } from '../ports/transport.ts'
import { LARGE_BYTES, WriteBatch } from '../ports/write-batch.ts'
import type { Target } from '../protocol/target.ts'
import type { Flusher } from './flusher.ts'
import type { PendingFrames } from './pending-frames.ts'
import { type PastSource, Replay, type ReplayItem, type ReplaySource } from './replay.ts'
import { encodeControl } from './sse.ts'
import { WriteQueue } from './write-queue.ts'

// opening ──open()──▶ replaying ──replay empty──▶ live       a published event:
//    │                    │  ▲                     │           opening, replaying → replay
//    │                    │  └─────replay()────────┤           live → pending frames → one write a flush
//    └──────close()───────┴────────────────────────┴─▶ closed  transport busy → write queue (maxBufferedBytes)

/** The part of the node that streams use. All streams of a node share it. */
export interface StreamContext {
  readonly flusher: Flusher
  readonly options: { readonly maxBufferedBytes: number }
}

/** A heartbeat without a position, for a stream in replay: the replay's own ids come in their turn. */
const BARE_HEARTBEAT = new WriteBatch([encodeControl('heartbeat', {})])

/**
 * One client's outgoing frames, in order: first the replay, then live frames, one write for all that are pending when the
 * Flusher comes, unless frames are large. Nothing here throws, but `open`.
 */
export abstract class Stream implements TransportListener {
  protected readonly context: StreamContext
  readonly #transport: Transport
  /** Set while the transport is busy with an earlier write. */
  #writeQueue: WriteQueue | undefined
  #pending: PendingFrames | undefined
  /** Undefined while the stream is live. */
  #replay: Replay | undefined = new Replay()
  /** Whether a heartbeat is due that goes out with the next piece of the replay. */
  #owesHeartbeat = false
  /** Whether the stream is about to be closed with SLOW. */
  #isTooSlow = false
  #state: 'opening' | 'open' | 'closed' = 'opening'
  /** Undefined once it is written. */
  #firstBlock: Buffer | undefined
  #resumes = false
  #isGone = false
  #onGone: (() => void) | undefined

  constructor(context: StreamContext, transport: Transport) {
    this.context = context
    this.#transport = transport
  }

  /** Ends the session by the one close path, which calls {@link close}. */
  protected abstract end(code: 'GONE' | 'SLOW'): void

  /** Called when the client has read what it was sent, which shows that it is alive. */
  protected abstract markAlive(): void

  /** Called when the history has evicted events before the replay came to them. */
  protected abstract onGap(targets: readonly Target[]): void

  /** Whether the stream takes frames by {@link push}. Until then it takes items by {@link addToReplay}. */
  get live(): boolean {
    return this.#replay === undefined
  }

  get closed(): boolean {
    return this.#state === 'closed'
  }

  /** Whether the transport is closed, though {@link onClose} may not have been called yet. */
  get clientGone(): boolean {
    return this.#transport.closed
  }

  /** True until the first bytes are written. */
  get opening(): boolean {
    return this.#state === 'opening'
  }

  /** Sends a frame to a live stream. Sessions that get the same frame must be given the same Buffer. */
  push(frame: Buffer): void {
    if (this.#state === 'closed') return
    this.#pending ??= this.context.flusher.add(this)
    this.#pending = this.#pending.with(frame)
  }

  /** Adds a published event to a stream that is not live yet. */
  addToReplay(item: ReplayItem): void {
    if (this.#state === 'closed' || this.#isTooSlow || this.#replay === undefined) return
    this.#replay.add(item)
    if (this.#replay.exceeds(this.context.options.maxBufferedBytes)) this.#endSlow()
  }

  /** Sends a heartbeat: after the pending frames, or during a replay as soon as the transport takes more. */
  beat(frame: Buffer): void {
    if (this.live) this.push(frame)
    else this.#owesHeartbeat = true
  }

  /** Sends past events at the pace of the reader. What is published meanwhile comes after them. */
  replay(past: PastSource): void {
    if (this.#state === 'closed' || past.next === undefined || this.clientGone) return
    if (this.live) this.flush()
    this.#replay ??= new Replay()
    this.#replay.addPast(past)
    this.#continueReplay()
  }

  /** Drops the past events of a room that wait, which the session has left. What was published meanwhile stays. */
  dropRoom(rid: string): void {
    this.#replay?.dropRoom(rid)
  }

  /**
   * Puts past events, and then the missed ones, before those that were published since the stream was made. Called once,
   * before `open`.
   *
   * @returns false when there are none of them
   */
  resume(past: PastSource | undefined, missed: ReplaySource | undefined): boolean {
    this.#replay?.begin(past, missed)
    return this.#replay?.isEmpty === false
  }

  /**
   * Sets the block that the stream begins with, whether it is opened or closed at once. Called before either.
   *
   * @param resumes whether the client brought a position
   */
  beginWith(block: Buffer | undefined, resumes: boolean): void {
    this.#firstBlock = block
    this.#resumes = resumes
  }

  /**
   * Accepts the client: writes `first` with the first piece of the replay. Only the first call counts.
   *
   * @throws what a transport throws that does not keep to its contract; the session is ended then
   */
  open(first: readonly Buffer[]): void {
    if (this.#state !== 'opening') return
    try {
      this.#start([...first, ...this.#takePiece()])
    } catch (error) {
      this.end('GONE')
      throw error
    }
  }

  /** Writes the pending frames. For the Flusher. */
  flush(): void {
    if (this.#replay !== undefined || this.#state !== 'open') return
    const batch = this.#pending?.batch()
    this.#pending = undefined
    if (batch === undefined) return
    this.#write(batch)
    if (this.#writeQueue?.exceeds(this.context.options.maxBufferedBytes)) this.#endSlow()
  }

  /**
   * Closes the stream: writes the pending frames and then `last`, and ends the transport. Without `last` a stream that
   * is still opening leaves the transport untouched, for its owner to answer the request. Idempotent.
   *
   * @param comesBack whether the client should reconnect. One with a position gets nothing then of a stream that is still
   *   opening: the position of what is published by now would hide what it missed before
   * @returns false when the stream was closed before
   */
  close(last: Buffer | undefined, comesBack: boolean): boolean {
    if (this.#state === 'closed') return false
    let farewell = last
    if (this.#state === 'opening' && farewell !== undefined) {
      if (this.#resumes && comesBack) this.#replay = undefined
      const piece = this.#takePiece()
      try {
        this.#start(piece.length === 0 ? [farewell] : piece)
      } catch {
        // Nothing was sent, and the session ends anyway.
      }
      if (piece.length === 0) farewell = undefined
      // The transport may have found that it is over.
      if (this.closed) return false
    }
    const takesMore = this.#state === 'open' && !this.clientGone
    // Before the transport is ended, which may call onClose at once.
    this.#state = 'closed'
    if (takesMore) {
      // What waits in the queue is dropped: the reader may never read on, and gets it when it resumes.
      const batch = this.#writeQueue === undefined ? this.#pending?.batch() : undefined
      for (const part of batch?.parts ?? []) this.#transport.write(part)
      if (farewell !== undefined) this.#transport.write(new WriteBatch([farewell]))
      this.#transport.end()
    }
    this.#writeQueue = undefined
    this.#pending = undefined
    this.#replay = undefined
    return true
  }

  /** Settles when the transport is closed. Destroys it after `deadline` milliseconds. */
  async whenGone(deadline: number): Promise<void> {
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
    // A client that reads is alive. Its answers to heartbeats may wait behind what is still on its way.
    this.markAlive()
    if (this.#owesHeartbeat && this.#state === 'open') {
      this.#owesHeartbeat = false
      if (!this.#transport.write(BARE_HEARTBEAT)) return
    }
    if (this.#writeQueue?.drain(this.#transport)) this.#writeQueue = undefined
    this.#continueReplay()
  }

  onStall(): void {
    this.end('SLOW')
  }

  #takePiece(): readonly Buffer[] {
    return this.#replay?.take((targets) => this.onGap(targets)) ?? []
  }

  /** @param frames at least one */
  #start(frames: readonly Buffer[]): void {
    this.#state = 'open'
    const { parts } = new WriteBatch(this.#firstBlock === undefined ? frames : [this.#firstBlock, ...frames])
    this.#firstBlock = undefined
    const rest = parts.slice(1)
    try {
      if (this.#transport.open(parts[0] as WriteBatch)) this.#writeParts(rest)
      else this.#writeQueue = new WriteQueue(rest)
    } catch (error) {
      // As before: without a head, the transport is left untouched.
      if (!this.closed) this.#state = 'opening'
      throw error
    }
    this.#continueReplay()
  }

  #write(batch: WriteBatch): void {
    if (this.#writeQueue !== undefined) this.#writeQueue.add(batch)
    else if (batch.length >= LARGE_BYTES && batch.parts.length > 1) this.#writeParts(batch.parts)
    else if (!this.#transport.write(batch)) this.#writeQueue = new WriteQueue()
  }

  #writeParts(parts: readonly WriteBatch[]): void {
    if (parts.length === 0) return
    const queue = new WriteQueue(parts)
    if (!queue.drain(this.#transport)) this.#writeQueue = queue
  }

  /** Writes the replay piece by piece, until the transport is busy or the stream is live. */
  #continueReplay(): void {
    while (this.#replay !== undefined && this.#state === 'open' && this.#writeQueue === undefined) {
      const piece = this.#takePiece()
      if (piece.length === 0) this.#replay = undefined
      else this.#write(new WriteBatch(piece))
    }
  }

  /** Ends the session in a microtask: this may be amid the delivery of an event, which hooks must not interrupt. */
  #endSlow(): void {
    if (this.#isTooSlow) return
    this.#isTooSlow = true
    queueMicrotask(() => this.end('SLOW'))
  }
}
