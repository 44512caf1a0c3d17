import { CometError } from '../../lib/errors.ts'
import type { Broker, BrokerConnection, BrokerHandler } from '../../lib/ports/broker.ts'
import { kindOf } from '../../lib/util/kind-of.ts'
import { checkOptions } from '../../lib/util/known-keys.ts'
import { CoreFeed } from './core-feed.ts'
import { Link, type NatsSource } from './link.ts'
import { NatsNode } from './node.ts'
import { StreamFeed } from './stream-feed.ts'
import type { StreamOptions } from './stream-store.ts'

/** Options of a {@link NatsBroker}. */
export interface NatsBrokerOptions {
  /**
   * Lets JetStream keep the events, so that clients resume on any node, and nothing that was acknowledged is lost. Needs
   * the package `@nats-io/jetstream`, and a server with JetStream. All nodes of a namespace must have the same.
   *
   * @default false: what a node does not hear is lost to it, and its clients are told of a gap
   */
  readonly jetstream?: boolean | StreamOptions
  /**
   * The secret with which nodes sign what Go's Event cannot say; at least 16 characters, the same for all nodes and
   * Publishers of the namespace.
   *
   * @default that of the presence
   */
  readonly secret?: string
}

/** What JetStream takes as the name of a stream. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: a name must not have them.
const STREAM_NAME = /^[^\s.*>/\\\u0000-\u001f\u007f]+$/

/** The shortest secret, in characters. */
const LEAST_SECRET = 16

/**
 * Carries events over NATS, in the envelope of Go-Micro, so that Go services publish Events to Comets and hear of their
 * users. Presence and controller are those of Redis.
 *
 * @example
 * const nats = await connect({ servers: 'nats://127.0.0.1:4222', maxReconnectAttempts: -1 })
 * const comet = new Comet({ ...redisCluster(redis), broker: new NatsBroker(nats), namespace: 'io.goeasy' })
 */
export class NatsBroker implements Broker {
  readonly #link: Link
  readonly #options: NatsBrokerOptions

  /**
   * @param source a connection of `@nats-io/transport-node`, opened with `maxReconnectAttempts: -1`, which the broker
   *   never closes; or an address or the options of its function `connect`, for a connection of its own
   * @throws CometError INVALID_OPTION, which names the option and what it may be
   */
  constructor(source: NatsSource, options: NatsBrokerOptions = {}) {
    this.#options = checkBrokerOptions(options)
    this.#link = new Link(source)
  }

  join(handler: BrokerHandler): BrokerConnection {
    const { jetstream = false, secret } = this.#options
    const streamOptions = jetstream === true ? {} : jetstream
    const node = new NatsNode(handler, this.#link, {
      secret,
      makeFeed: (context) =>
        streamOptions === false ? new CoreFeed(context) : new StreamFeed(context, streamOptions),
    })
    return {
      ready: node.ready,
      position: () => node.position(),
      compare: (a, b) => node.compare(a, b),
      reach: (position, timeout) => node.reach(position, timeout),
      publish: (envelope) => node.publish(envelope),
      published: () => node.published(),
      activity: (events) => node.activity(events),
      close: () => node.close(),
    }
  }
}

function checkBrokerOptions(options: NatsBrokerOptions): NatsBrokerOptions {
  const { jetstream, secret } = checkOptions('The options of NatsBroker', options, ['jetstream', 'secret'])
  if (secret !== undefined && (typeof secret !== 'string' || secret.length < LEAST_SECRET)) {
    throw invalid(`Option secret must be a string of at least ${LEAST_SECRET} characters.`)
  }
  if (jetstream === undefined || typeof jetstream === 'boolean') return options
  const { storage, replicas, stream } = checkOptions('Option jetstream', jetstream, [
    'storage',
    'replicas',
    'stream',
  ])
  if (storage !== undefined && storage !== 'file' && storage !== 'memory') {
    throw invalid("Option jetstream.storage must be 'file' or 'memory'.")
  }
  if (replicas !== undefined && replicas !== 1 && replicas !== 3 && replicas !== 5) {
    const found = typeof replicas === 'number' ? replicas : kindOf(replicas)
    throw invalid(`Option jetstream.replicas must be 1, 3 or 5, not ${found}.`)
  }
  if (stream !== undefined && (typeof stream !== 'string' || !STREAM_NAME.test(stream))) {
    throw invalid('Option jetstream.stream must be a name without spaces, control characters and . * > / \\')
  }
  return options
}

function invalid(message: string): CometError {
  return new CometError('INVALID_OPTION', message)
}
