/**
 * Port: one client's byte stream. Made by whoever accepted the request, used by one Session.
 *
 * Nothing here throws and nothing waits: a transport that is closed swallows what it is given.
 */
export interface Transport {
  /** True once the stream is over, whoever ended it. */
  readonly closed: boolean

  /**
   * Adds a listener for the end of the stream. It is called once, also when the stream was over before, and at
   * the latest when the client's connection is seen to be gone.
   */
  onClose(listener: () => void): void

  /** Accepts the client: sends what goes before the first byte of the stream. Called once, before `write`. */
  open(): void

  /**
   * Writes bytes as they are, in the order of the calls.
   *
   * @returns false when so much is waiting to be sent that the caller should hold back
   */
  write(bytes: Buffer): boolean

  /** Ends the stream after what was written so far has been sent. */
  end(): void

  /** Ends the stream now; what was not sent is lost. */
  destroy(): void
}
