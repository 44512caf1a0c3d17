import type { Controller } from './controller.ts'
import type { Presence } from './presence.ts'

/** An event on its way to every node, encoded but not addressed to anyone yet. */
export interface Envelope {
  /** The user it is for; decides when `rid` is there too. Absent: see `rid`. */
  readonly uid?: string
  /** The room it is for. Neither `uid` nor `rid`: the world. */
  readonly rid?: string
  /** The server-sent event, opaque. */
  readonly evt: string
  /** Sessions that are passed over: all of a user's, or one. */
  readonly except?: { readonly uid: string } | { readonly sid: string }
  /** True for what matters only now (typing notices): it is never kept for later. */
  readonly transient?: boolean
}

/** An envelope that the broker has put in order. */
export interface Delivery extends Envelope {
  /** Where in the broker's order it stands; opaque, without CR, LF and NUL. */
  readonly position: string
}

/** What a broker needs to know of a node that joins it. */
export interface BrokerHandler {
  readonly id: string
  /** Nodes hear each other when they have the same namespace. */
  readonly namespace: string
  /** Takes one event. Never throws. */
  deliver(delivery: Delivery): void
}

/** One node's way to the broker. */
export interface BrokerConnection {
  /** Settles once events published from now on reach this node. */
  readonly ready: Promise<void>
  /** The position of the last event delivered to this node, or where it started. */
  position(): string
  /**
   * Says which of two positions is the later one, as for sort; undefined when one of them is not of this broker's
   * order: it began anew, or the text is no position.
   */
  compare(a: string, b: string): number | undefined
  /** Resolves when the broker took the event; what it took, it delivers. */
  publish(envelope: Envelope): Promise<void>
  /** Leaves the broker: nothing is delivered after it was called. Idempotent. */
  close(): Promise<void>
}

/**
 * Port: carries each event to every node of a namespace, the publishing one included.
 *
 * All nodes get all events in one order, each at most once. Events that one caller publishes one after the
 * other keep that order, whether it awaits them or not.
 */
export interface Broker {
  join(node: BrokerHandler): BrokerConnection
  /** The presence and the controller that span the same nodes; taken where the options name none. */
  readonly presence?: Presence
  readonly controller?: Controller
}
