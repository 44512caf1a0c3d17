import type { UserActivityEvent } from '../protocol/user-activity-event.ts'
import type { Controller } from './controller.ts'
import type { Presence } from './presence.ts'
import type { StatusHandler } from './status.ts'

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
export interface BrokerHandler extends StatusHandler {
  /** The node's id, different for each Comet. */
  readonly id: string
  /** Nodes reach each other when they have the same namespace. */
  readonly namespace: string
  /** The `server` of the Messages that this node makes. */
  readonly server: string
  /** False for a process that only publishes: nothing is delivered to it. */
  readonly receives: boolean
  /** What the node stores of the events: a broker that keeps events need not keep more. */
  readonly history: { readonly age: number; readonly bytes: number }
  /**
   * Tells that events are complete from a position on. Called before anything else where `join` could not tell the
   * position at once; and again when events between the last delivery and the next are lost, because they were dropped
   * before this node read them, or the store lost them. The node tells its sessions of a gap then. Never throws.
   */
  begin(position: string): void
  /**
   * Takes one event from before this node joined, for the history only. Called in the order of the positions, before the
   * first {@link deliver}. Never throws.
   *
   * @param age how long ago it was published, in milliseconds
   */
  restore(delivery: Delivery, age: number): void
  /** Takes one event. Called in the order of the positions. Never throws. */
  deliver(delivery: Delivery): void
  /**
   * Tells the secret of the namespace, the same for all of its nodes, with which they sign what others may forge. See
   * Presence.
   *
   * @throws as the presence does (by rejecting)
   */
  secret(): Promise<string>
  /**
   * Tells of what went wrong and concerns no caller, such as messages that cannot be read. A broker tells the same
   * problem once a minute at most. Never throws.
   */
  onError(error: Error): void
}

/** What a broker implements and a node calls. */
export interface BrokerConnection {
  /** Settles once events that are published from now on reach this node, and those from before are restored. */
  readonly ready: Promise<void>
  /**
   * The position of the last event delivered to this node, or where it started.
   *
   * @returns undefined until {@link ready} settles, and for a node that does not receive
   */
  position(): string | undefined
  /**
   * Compares two positions, as for sort.
   *
   * @returns undefined when one of them is not of this broker's order: the broker began a new one, the text is no
   *   position, or it is ahead of what this node was delivered
   */
  compare(a: string, b: string): number | undefined
  /**
   * Waits for a position that a client got from another node, which may be ahead of this one.
   *
   * @returns settles when this node was delivered everything up to it; at once when it was already, or when the broker
   *   has no such position. Settles after `timeout` milliseconds in any case, and never rejects
   */
  reach(position: string, timeout: number): Promise<void>
  /**
   * Publishes an event.
   *
   * @returns settles when the broker took the event and delivered it to this node, in order, so that what is done next
   *   comes after it. It does not wait longer than a second for the delivery. What the broker took, it delivers
   * @throws CometError UNAVAILABLE when the broker cannot be reached, and its queue is full or the event waited too
   *   long; EVENT_TOO_LARGE. The event is not delivered then
   */
  publish(envelope: Envelope): Promise<void>
  /**
   * Waits for the events that this node has published so far.
   *
   * @returns settles when their promises have; undefined when all of them have
   */
  published(): Promise<void> | undefined
  /**
   * Tells those outside the cluster, who hear of users through the broker, what presence has recorded of all nodes. It is
   * called on one node at a time, in the order of the record. Absent: nobody outside hears of users.
   *
   * @returns settles when the broker took them. Rejects when it did not: they are given again
   */
  activity?(events: readonly UserActivityEvent[]): Promise<void>
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
