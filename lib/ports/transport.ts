import type { WriteBatch } from './write-batch.ts'

/** What a session implements and its transport calls. */
export interface TransportListener {
  /** The stream is over, whoever ended it. Called once, as soon as the transport knows. */
  onClose(): void
  /** All bytes are sent, those of the call that returned false included. */
  onDrain(): void
  /** A write made no progress for the write timeout. */
  onStall(): void
}

/**
 * Port: one client's byte stream. Made for the request that asked for the stream, used by one Session.
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
   * @returns false when the bytes could not all be sent at once: write no events until `onDrain` (a last batch right
   *   before `end` is allowed)
   */
  write(batch: WriteBatch): boolean

  /** Ends the stream when everything written was sent, or after a few seconds, dropping the rest. */
  end(): void

  /** Ends the stream now. What was not sent is lost. */
  destroy(): void
}
