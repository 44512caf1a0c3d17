/** A message from node to node. JSON, but for undefined, which may be absent or null on the other side. */
export type Command = Readonly<Record<string, unknown>> & { readonly type: string }

/** The node's side of a controller connection. The node passes it to {@link Controller.join}. */
export interface ControllerHandler {
  readonly id: string
  readonly namespace: string
  /** Carries out a command, and answers in JSON. A rejection travels back to the caller as a CometError. */
  handle(command: Command): Promise<unknown>
}

/** The controller's side of a controller connection: one node's way to the others. */
export interface ControllerConnection {
  /**
   * Sends a command to one node.
   *
   * @param timeout the time to wait for the answer, in milliseconds
   * @throws CometError NO_SUCH_SESSION when there is no such node, OWNER_UNREACHABLE when it does not answer in time,
   *   or what the node rejected with
   */
  request(node: string, command: Command, timeout: number): Promise<unknown>
  /**
   * Sends a command to every other node.
   *
   * @param timeout the time to wait for the answers, in milliseconds
   * @returns the answers that came in time; a node that rejected or stayed silent is left out
   */
  broadcast(command: Command, timeout: number): Promise<unknown[]>
  /** Leaves the controller. No command is handled after the call. Idempotent. */
  close(): Promise<void>
}

/** Port: carries commands to the node that owns a session, and to all nodes. Commands of one sender arrive in order. */
export interface Controller {
  /** Connects a node. Called once for each node. */
  join(node: ControllerHandler): ControllerConnection
}
