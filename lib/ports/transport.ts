import type { WriteBatch } from './write-batch.ts'

/** The session's side of a transport, which the transport calls. */
export interface TransportListener {
  /** The stream is over, whoever ended it. Called once, at the latest when the connection is seen to be gone. */
  onClose(): void
  /** Everything was sent that was written before `open` or `write` returned false. */
  onDrain(): void
  /** A write made no progress for the write timeout. */
  onStall(): void
}

/**
 * Port: one client's byte stream. Made by the adapter that accepted the request, used by one Session.
 *
 * No method throws or waits. A closed transport drops what it is given.
 */
export interface Transport {
  /** True once nothing more can be written. */
  readonly closed: boolean

  /**
   * Registers the one listener. Calls its `onClose` at once when the stream is over already.
   *
   * @param writeTimeout the time after which a write without progress is a stall, in milliseconds
   */
  listen(listener: TransportListener, writeTimeout: number): void

  /**
   * Accepts the client: sends the response's head and the first bytes. Called once, before `write`.
   *
   * @returns as `write`
   */
  open(first: WriteBatch): boolean

  /**
   * Writes bytes unchanged, in the order of the calls. Many transports are given the same batch.
   *
   * When somebody else ended the stream in this very turn of the event loop, only `closed` needs to know. A caller that
   * writes in a turn of the app, and not in a turn of its own, checks `closed` first.
   *
   * @returns false when the bytes could not all be sent at once: write nothing more until `onDrain`
   */
  write(batch: WriteBatch): boolean

  /** Ends the stream when everything written was sent, or a few seconds later without it. */
  end(): void

  /** Ends the stream now. What was not sent is lost. */
  destroy(): void
}
