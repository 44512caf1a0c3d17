import type { StatusHandler } from './status.ts'

/** A message from node to node. JSON. A field that is undefined may arrive as absent or null. */
export type Command = Readonly<Record<string, unknown>> & { readonly type: string }

/** What a node implements and the controller calls. The node passes it to {@link Controller.join}. */
export interface ControllerHandler extends StatusHandler {
  readonly id: string
  readonly namespace: string
  /** False for a process that only publishes: no command reaches it. */
  readonly receives: boolean
  /**
   * Carries out a command, and answers in JSON. If it rejects, it rejects with a CometError, and the caller's promise
   * rejects with the same error. The answer to a command that was told to all is dropped.
   */
  handle(command: Command): Promise<unknown>
}

/** What a controller implements and a node calls. */
export interface ControllerConnection {
  /**
   * Sends a command to one node, which may be this one.
   *
   * @param timeout the time to wait for the answer, in milliseconds. The command is not carried out after it
   * @throws CometError NO_SUCH_SESSION when there is no such node, because its sessions ended with it;
   *   OWNER_UNREACHABLE when it does not answer in time; or what the node rejected with
   */
  request(node: string, command: Command, timeout: number): Promise<unknown>
  /**
   * Sends a command to all nodes, this one included, without an answer.
   *
   * @returns settles when the command was taken, and this node was told, or lags by more than a second. Every other node
   *   carries it out, too, also one that was cut off meanwhile
   * @throws CometError UNAVAILABLE when it was not taken
   */
  tell(command: Command): Promise<void>
  /** Leaves the controller. No command is handled after the call. Idempotent. */
  close(): Promise<void>
}

/**
 * Port: carries commands to the node that owns a session, and to all nodes.
 *
 * - Commands of one sender arrive in order at each node, those that it told to all included.
 * - Of the same cluster as a broker: a command arrives after the events that its sender published before it.
 */
export interface Controller {
  /** Connects a node. Called once for each node. */
  join(node: ControllerHandler): ControllerConnection
}
