import { asAppError, CometError } from '../errors.ts'
import type { Node } from '../node/node.ts'
import type { Envelope } from '../ports/broker.ts'

/**
 * Publishes an event.
 *
 * @param encode checks and encodes it. Undefined: it reaches nobody
 * @returns settles when the broker took it, or at once when it reaches nobody
 * @throws CometError what `encode` throws, or SHUTTING_DOWN
 */
export async function publish(node: Node, encode: () => Envelope | undefined): Promise<void> {
  try {
    const envelope = encode()
    if (node.closed) throw new CometError('SHUTTING_DOWN', 'This Comet was closed.')
    if (envelope === undefined) return
    await node.broker.publish(envelope)
  } catch (error) {
    throw asAppError(error)
  }
  node.counters.published += 1
}
