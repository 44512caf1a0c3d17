import type { Presence, PresenceConnection, PresenceHandler } from '../../lib/ports/presence.ts'
import type { NodeOf } from './broker.ts'
import type { RedisConnection } from './connection.ts'
import { KEY_TTL_MS, Keys } from './keys.ts'
import { newNamespaceSecret } from './presence-calls.ts'
import { presenceConnection } from './presence-connection.ts'
import { RedisPresenceNode, type RedisPresenceSettings } from './presence-node.ts'

/** The field of presence's hash with the secret of the namespace. */
const SECRET_FIELD = '.secret'

/** A Presence in Redis, for the nodes that share a namespace. */
export class RedisPresence implements Presence {
  readonly #nodeOf: NodeOf
  readonly #connect: () => RedisConnection
  readonly #settings: RedisPresenceSettings
  /** Nodes of this process that joined, and have not reached Redis. */
  readonly #joining = new Set<Promise<unknown>>()

  /** @param connect makes a connection that is closed again */
  constructor(nodeOf: NodeOf, connect: () => RedisConnection, settings: RedisPresenceSettings) {
    this.#nodeOf = nodeOf
    this.#connect = connect
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

  async secret(namespace: string): Promise<string> {
    const key = new Keys(namespace).of('presence')
    const connection = this.#connect()
    try {
      const known = await connection.send(key, ['HGET', key, SECRET_FIELD])
      if (known !== null) return String(known)
      await connection.send(key, ['HSETNX', key, SECRET_FIELD, newNamespaceSecret()])
      // Nodes renew its time to live, once there are some.
      await connection.send(key, ['PEXPIRE', key, String(KEY_TTL_MS), 'NX'])
      return String(await connection.send(key, ['HGET', key, SECRET_FIELD]))
    } finally {
      connection.close()
    }
  }
}
