/** A message from node to node; JSON. */
export type Command = Readonly<Record<string, unknown>> & { readonly type: string }

/** What a controller needs to know of a node that joins it. */
export interface ControllerHandler {
  readonly id: string
  readonly namespace: string
  /** Carries out a command and answers it, in JSON; a rejection travels back to the caller as a CometError. */
  handle(command: Command): Promise<unknown>
}

/** One node's way to the others. */
export interface ControllerConnection {
  /**
   * Asks one node.
   *
   * @param timeout milliseconds to wait for the answer
   * @throws CometError NO_SUCH_SESSION when there is no such node, OWNER_UNREACHABLE when it did not answer
   *   in time, or what the node rejected with
   */
  request(node: string, command: Command, timeout: number): Promise<unknown>
  /** Tells every other node and waits for their answers as long as `timeout`; who did not answer is left out. */
  broadcast(command: Command, timeout: number): Promise<unknown[]>
  /** Leaves: nothing is handled after it was called. Idempotent. */
  close(): Promise<void>
}

/** Port: commands to the node that owns a session, and to all nodes. Those of one sender authorize in order. */
export interface Controller {
  join(node: ControllerHandler): ControllerConnection
}
