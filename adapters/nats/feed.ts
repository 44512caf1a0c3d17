import type { NatsConnection } from '@nats-io/transport-node'
import type { BrokerConnection, Envelope } from '../../lib/ports/broker.ts'
import type { Incoming } from './incoming.ts'
import type { NatsMessage } from './outgoing.ts'
import type { QueuedEvent, SendQueue } from './send-queue.ts'
import type { Subjects } from './subjects.ts'

/** What a feed uses of its node. */
export interface FeedContext {
  /** Names this life of the node: its events have numbers that begin with 1. */
  readonly origin: string
  readonly namespace: string
  readonly receives: boolean
  /** See BrokerHandler. */
  readonly history: { readonly age: number; readonly bytes: number }
  readonly subjects: Subjects
  readonly queue: SendQueue
  /** Reads a message. @returns undefined when it is not for Comets, or cannot be read */
  read(subject: string, payload: Uint8Array): Incoming | undefined
  /** See BrokerHandler. Nothing is delivered to a node that has left. */
  begin(position: string): void
  restore(envelope: Envelope, position: string, age: number): void
  deliver(envelope: Envelope, position: string): void
  /** Calls {@link Feed.open} again, because something has ended that it began. */
  reopen(error: Error): void
}

/** How events come from NATS and go there: by subjects alone, or by a stream of JetStream. */
export interface Feed extends Pick<BrokerConnection, 'position' | 'compare' | 'reach'> {
  /** The bytes that the largest message must leave free of `max_payload`. */
  readonly reserve: number
  /**
   * Begins, or goes on after the connection was lost. It is tried again when it rejects.
   *
   * @returns settles once events that are published from now on reach this node
   */
  open(nats: NatsConnection): Promise<void>
  /** The connection is lost. {@link open} is called when it is back. */
  lost(): void
  /** Sends an event. Later it calls `taken` or `refuse` of the queue, and `settle`, unless the connection is lost. */
  send(nats: NatsConnection, item: QueuedEvent, messages: readonly NatsMessage[]): void
  /** Ends. Idempotent. */
  close(): void
}
