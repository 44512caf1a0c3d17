import { CometError } from '../../lib/errors.ts'
import type { Broker, BrokerConnection, BrokerHandler, Envelope } from '../../lib/ports/broker.ts'
import { Waiters } from '../../lib/util/waiters.ts'
import { withDeadline } from './connection.ts'
import type { RedisNode } from './node.ts'
import { WHERE } from './order-scripts.ts'
import { comparePlaces, formatPosition, type Place, parseLink, parsePosition } from './position.ts'

/** How long leaving waits for what was published, in milliseconds. */
const CLOSE_MS = 2_000

/** Finds the node of a handler, or makes it. */
export type NodeOf = (handler: Pick<BrokerHandler, 'id' | 'namespace' | 'receives'>) => RedisNode

/** A Broker on a stream of Redis. */
export class RedisBroker implements Broker {
  readonly #nodeOf: NodeOf

  constructor(nodeOf: NodeOf) {
    this.#nodeOf = nodeOf
  }

  join(handler: BrokerHandler): BrokerConnection {
    const joined = new NodeBroker(this.#nodeOf(handler), handler)
    return {
      ready: joined.ready,
      position: () => joined.position(),
      compare: (a, b) => joined.compare(a, b),
      reach: (position, timeout) => joined.reach(position, timeout),
      publish: (envelope) => joined.publish(envelope),
      published: () => joined.published(),
      close: () => joined.close(),
    }
  }
}

/** What a node's connection to the broker does. */
class NodeBroker implements BrokerConnection {
  readonly #node: RedisNode
  readonly #leave: () => Promise<void>
  readonly #waiters = new Waiters<Place>()
  #isClosed = false

  constructor(node: RedisNode, handler: BrokerHandler) {
    this.#node = node
    Object.assign(node.history, handler.history)
    if (handler.receives) node.eventHandler = handler
    node.onProgress = (cursor) => this.#onProgress(cursor)
    this.#leave = node.attach((status) => handler.onStatus(status))
  }

  get ready(): Promise<void> {
    return this.#node.ready
  }

  position(): string | undefined {
    const { cursor } = this.#node.events
    return this.#node.isReady && cursor !== undefined ? formatPosition(cursor) : undefined
  }

  compare(a: string, b: string): number | undefined {
    const [first, second] = [this.#knownPlace(a), this.#knownPlace(b)]
    return first === undefined || second === undefined ? undefined : comparePlaces(first, second)
  }

  async reach(position: string, timeout: number): Promise<void> {
    const place = parsePosition(position)
    if (place === undefined || !this.#node.receives || this.#isClosed || this.#isPast(place)) return
    const reached = this.#waiters.wait(place, timeout)
    this.#isThere(place, timeout).then((isThere) => {
      if (!isThere) this.#waiters.end((waited) => waited === place)
    })
    await reached
  }

  publish(envelope: Envelope): Promise<void> {
    if (this.#isClosed) return Promise.reject(new CometError('SHUTTING_DOWN', 'The Comet is closed.'))
    return this.#node.writer.publish(JSON.stringify(envelope))
  }

  published(): Promise<void> | undefined {
    return this.#node.writer.settled()
  }

  async close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true
      this.#node.eventHandler = undefined
      this.#waiters.end(() => true)
      const settled = this.#node.isReady && this.#node.health.isUp ? this.published() : undefined
      if (settled !== undefined) await withDeadline(settled, CLOSE_MS, '').catch(() => {})
    }
    await this.#leave()
  }

  /** Reads a position up to which this node was delivered everything. */
  #knownPlace(position: string): Place | undefined {
    const place = parsePosition(position)
    return place !== undefined && this.#isPast(place) ? place : undefined
  }

  #isPast(place: Place): boolean {
    const { cursor } = this.#node.events
    return cursor?.epoch === place.epoch && comparePlaces(place, cursor) <= 0
  }

  /** Asks Redis whether there is such a place. When Redis cannot tell, it may be there. */
  async #isThere(place: Place, timeout: number): Promise<boolean> {
    try {
      const { connection, keys } = this.#node
      const reply = await WHERE.run(connection, [keys.meta], [], timeout)
      const [epoch = '', last = ''] = Array.isArray(reply) ? reply.map(String) : []
      const end = parseLink(epoch, last)
      return end !== undefined && end.epoch === place.epoch && comparePlaces(place, end) <= 0
    } catch {
      return true
    }
  }

  #onProgress(cursor: Place): void {
    this.#waiters.end((place) => cursor.epoch === place.epoch && comparePlaces(place, cursor) <= 0)
  }
}
