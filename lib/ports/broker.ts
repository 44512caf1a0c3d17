import type { Controller } from './controller.ts'
import type { Presence } from './presence.ts'

/** The receivers of an event: the sessions, users or rooms of a list, each once, or the world. A list is never empty. */
export type Receivers =
  | { readonly uids: readonly string[]; readonly rids?: never; readonly sids?: never }
  | { readonly uids?: never; readonly rids: readonly string[]; readonly sids?: never }
  | { readonly uids?: never; readonly rids?: never; readonly sids: readonly string[] }
  | { readonly uids?: never; readonly rids?: never; readonly sids?: never }

/** The sessions that an event passes over: all of some users, or some. A list is never empty. */
export type Except =
  | { readonly uids: readonly string[]; readonly sids?: never }
  | { readonly uids?: never; readonly sids: readonly string[] }

/** An event on its way to every node: encoded, but not assigned to sessions yet. All of it is JSON. */
export interface Envelope {
  readonly to: Receivers
  /** The name of a named event. Undefined for the protocol's Event, whose `evt` is the data. */
  readonly event?: string
  /** The text of the server-sent event, opaque to brokers. */
  readonly data: string
  readonly except?: Except
  /** True for an event that matters only now, such as a typing notice: it is never replayed. */
  readonly transient?: boolean
}

/** An envelope with its place in the broker's order. */
export interface Delivery extends Envelope {
  /** The event's position: an opaque text without CR, LF and NUL, which clients send back when they reconnect. */
  readonly position: string
}

/** What a node implements and the broker calls. The node passes it to {@link Broker.join}. */
export interface BrokerHandler {
  /** The node's id, different for each Comet. */
  readonly id: string
  /** Nodes reach each other when they have the same namespace. */
  readonly namespace: string
  /** Takes one event. Called in the order of the positions. Never throws. */
  deliver(delivery: Delivery): void
}

/** What a broker implements and a node calls. */
export interface BrokerConnection {
  /** Settles once events that are published from now on reach this node. */
  readonly ready: Promise<void>
  /** The position of the last event delivered to this node, or where it started. */
  position(): string
  /**
   * Compares two positions, as for sort.
   *
   * @returns undefined when one of them is not of this broker's order: the broker began a new one, or the text is no
   *   position
   */
  compare(a: string, b: string): number | undefined
  /** Publishes an event. @returns settles when the broker took it; what it took, it delivers */
  publish(envelope: Envelope): Promise<void>
  /** Leaves the broker. Nothing is delivered after the call. Idempotent. */
  close(): Promise<void>
}

/**
 * Port: carries each event to every node of a namespace, the publishing one included.
 *
 * - All nodes get all events in one order, each at most once.
 * - Events that one caller publishes one after the other keep that order, whether it awaits them or not.
 */
export interface Broker {
  /** Connects a node. Called once for each node. */
  join(node: BrokerHandler): BrokerConnection
  /** The presence of the same nodes. Used when the options of a Comet name none. */
  readonly presence?: Presence
  /** The controller of the same nodes. Used when the options of a Comet name none. */
  readonly controller?: Controller
}
