import type { WriteBatch } from './write-batch.ts'

/** What a Transport tells the session that uses it. */
export interface TransportListener {
  /** The stream is over, whoever ended it. Said once, at the latest when the connection is seen to be gone. */
  onClose(): void
  /** After `open` or `write` said to hold back: what was written has been sent. */
  onDrain(): void
  /** For the write timeout, nothing could be sent although something was waiting. */
  onStall(): void
}

/**
 * Port: one client's byte stream. Made by whoever accepted the request, used by one Session.
 *
 * Nothing here throws and nothing waits: a transport that is closed swallows what it is given.
 */
export interface Transport {
  /** True once nothing more can be written. */
  readonly closed: boolean

  /**
   * Registers the one listener. When the stream is over already, it is told so at once.
   *
   * @param writeTimeout milliseconds after which a write that makes no progress is a stall
   */
  listen(listener: TransportListener, writeTimeout: number): void

  /**
   * Accepts the client: sends what goes before the first byte of the stream, and the first bytes. Called once, before
   * `write`.
   *
   * @returns as `write`
   */
  open(first: WriteBatch): boolean

  /**
   * Writes bytes as they are, in the order of the calls. Many transports are given the same batch.
   *
   * When the stream was ended by somebody else in this very turn of the event loop, only `closed` need know it: what
   * writes at the caller's time, and not in a turn of its own, must ask.
   *
   * @returns false when they could not all be sent at once: hold back until `onDrain`
   */
  write(batch: WriteBatch): boolean

  /** Ends the stream after what was written so far has been sent, or a few seconds later without it. */
  end(): void

  /** Ends the stream now; what was not sent is lost. */
  destroy(): void
}
