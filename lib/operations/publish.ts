import { asAppError, CometError } from '../errors.ts'
import type { Node } from '../node/node.ts'
import { toEnvelope } from './envelope.ts'

/**
 * Publishes an event.
 *
 * @returns settles when the broker took it, or at once when it reaches nobody
 * @throws CometError as {@link toEnvelope}, or SHUTTING_DOWN
 */
export async function publish(node: Node, event: unknown, options: unknown): Promise<void> {
  try {
    const envelope = toEnvelope(event, options, node.options)
    if (node.closed) throw new CometError('SHUTTING_DOWN', 'This Comet was closed.')
    if (envelope === undefined) return
    await node.broker.publish(envelope)
  } catch (error) {
    throw asAppError(error)
  }
  node.counters.published += 1
}
