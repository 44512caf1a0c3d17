import type { Presence, PresenceConnection, PresenceHandler } from '../../lib/ports/presence.ts'
import type { NodeOf } from './broker.ts'
import { presenceConnection } from './presence-connection.ts'
import { RedisPresenceNode, type RedisPresenceSettings } from './presence-node.ts'

/** A Presence in Redis, for the nodes that share a namespace. */
export class RedisPresence implements Presence {
  readonly #nodeOf: NodeOf
  readonly #settings: RedisPresenceSettings
  /** Nodes of this process that joined, and have not reached Redis. */
  readonly #joining = new Set<Promise<unknown>>()

  constructor(nodeOf: NodeOf, settings: RedisPresenceSettings) {
    this.#nodeOf = nodeOf
    this.#settings = settings
  }

  join(handler: PresenceHandler): PresenceConnection {
    const { id, namespace } = handler
    const node = this.#nodeOf({ id, namespace, receives: true })
    const presence = new RedisPresenceNode(handler, node, {
      ...this.#settings,
      allJoined: () => (this.#joining.size === 0 ? undefined : Promise.all(this.#joining)),
    })
    const { joined } = presence
    this.#joining.add(joined)
    joined.then(() => this.#joining.delete(joined))
    return presenceConnection(presence)
  }
}
