import { randomBytes } from 'node:crypto'
import type { Broker, BrokerLink, BrokerNode, Envelope } from '../broker.ts'
import type { Controller } from '../controller.ts'
import type { Presence } from '../presence.ts'
import { MemoryController } from './controller.ts'
import { Namespaces } from './namespaces.ts'
import { MemoryPresence } from './presence.ts'

/**
 * A broker within the process. It brings its presence and controller along, so that several Comets that share
 * it behave as the nodes of one cluster.
 */
export class MemoryBroker implements Broker {
  readonly presence: Presence = new MemoryPresence()
  readonly controller: Controller = new MemoryController()
  /** Positions of another life of the process must not be taken for ours. */
  readonly #epoch = randomBytes(6).toString('base64url')
  readonly #nodes = new Namespaces<BrokerNode>()
  #sequence = 0

  join(node: BrokerNode): BrokerLink {
    const leave = this.#nodes.join(node)
    return {
      ready: Promise.resolve(),
      position: () => `${this.#epoch}.${this.#sequence}`,
      publish: (envelope) => this.#publish(node.namespace, envelope),
      close: async () => leave(),
    }
  }

  async #publish(namespace: string, envelope: Envelope): Promise<void> {
    this.#sequence += 1
    const delivery = { ...envelope, position: `${this.#epoch}.${this.#sequence}` }
    for (const node of this.#nodes.of(namespace)) node.deliver(delivery)
  }
}
