/** A message from node to node. JSON. A field that is undefined may arrive as absent or null. */
export type Command = Readonly<Record<string, unknown>> & { readonly type: string }

/** What a node implements and the controller calls. The node passes it to {@link Controller.join}. */
export interface ControllerHandler {
  readonly id: string
  readonly namespace: string
  /**
   * Carries out a command, and answers in JSON. If it rejects, it rejects with a CometError, and the caller's promise
   * rejects with the same error.
   */
  handle(command: Command): Promise<unknown>
}

/** What a controller implements and a node calls. */
export interface ControllerConnection {
  /**
   * Sends a command to one node.
   *
   * @param timeout the time to wait for the answer, in milliseconds
   * @throws CometError NO_SUCH_SESSION when there is no such node, because its sessions ended with it;
   *   OWNER_UNREACHABLE when it does not answer in time; or what the node rejected with
   */
  request(node: string, command: Command, timeout: number): Promise<unknown>
  /**
   * Sends a command to every other node.
   *
   * @param timeout the time to wait for the answers, in milliseconds
   * @returns the answers; a node that rejected, or did not answer in time, is left out
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
