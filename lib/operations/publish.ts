import { asAppError, CometError } from '../errors.ts'
import type { Hooks } from '../hooks/hooks.ts'
import type { EventRun } from '../node/node.ts'
import type { ResolvedOptions } from '../options.ts'
import type { BrokerConnection, Envelope } from '../ports/broker.ts'

/** What publishes: a node, or a Publisher. */
export interface PublishContext {
  readonly options: ResolvedOptions
  readonly hooks: Pick<Hooks, 'report'>
  readonly broker: Pick<BrokerConnection, 'publish'>
  readonly counters: { published: number }
  /** The calls of `publishAll` that have not ended. */
  readonly runs: Set<EventRun>
  /** Whether it is being closed, and whether it is closed. */
  readonly closing: boolean
  readonly closed: boolean
}

/**
 * Publishes an event.
 *
 * @param encode checks and encodes it. Undefined: it reaches nobody
 * @returns settles when the broker took it and delivered it to this node, or at once when it reaches nobody
 * @throws CometError what `encode` throws, or SHUTTING_DOWN
 */
export async function publish(context: PublishContext, encode: () => Envelope | undefined): Promise<void> {
  try {
    const envelope = encode()
    if (context.closed) throw new CometError('SHUTTING_DOWN', 'This Comet or Publisher was closed.')
    if (envelope === undefined) return
    await context.broker.publish(envelope)
  } catch (error) {
    throw asAppError(error)
  }
  context.counters.published += 1
}
