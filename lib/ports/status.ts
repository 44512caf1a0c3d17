/** Tells that a port went away, or that it is back. */
export interface PortStatus {
  readonly up: boolean
  /** What failed. Present while `up` is false. */
  readonly error?: Error
}

/** The part of a node's handler that every port calls. */
export interface StatusHandler {
  /**
   * Tells that what is behind the port cannot be reached, and that it can be reached again: once for each outage, and
   * once for each recovery. What the port retries by itself is no outage. Never throws.
   */
  onStatus(status: PortStatus): void
}
