import type { NatsConnection, NodeConnectionOptions } from '@nats-io/transport-node'
import { NatsBroker, type NatsBrokerOptions } from '../../adapters/nats/index.ts'
import type { BrokerConnection, BrokerHandler, Envelope } from '../../lib/index.ts'
import { brokerNode } from '../contracts/handlers.ts'
import { connectNats, type NatsServer } from './nats-server.ts'

/** A node with a broker over NATS, and what it was told. */
export interface NatsTestNode extends Omit<ReturnType<typeof brokerNode>, 'node'> {
  readonly nats: NatsConnection
  readonly broker: BrokerConnection
  /** The data of events, and `begin`, in the order in which it was told. */
  readonly log: string[]
  publish(data: string, more?: Partial<Envelope>): Promise<void>
  texts(): string[]
}

export interface NatsNodeOptions extends NatsBrokerOptions {
  readonly handler?: Partial<BrokerHandler>
  readonly connection?: NodeConnectionOptions
}

const nodes: NatsTestNode[] = []

/** Joins a node over a connection of its own. */
export async function joinNode(
  server: Pick<NatsServer, 'url'>,
  id: string,
  { handler, connection, ...options }: NatsNodeOptions = {},
): Promise<NatsTestNode> {
  const nats = await connectNats(server, connection)
  const { node: told, ...rest } = brokerNode(id, 'n', handler)
  const log: string[] = []
  const broker = new NatsBroker(nats, options).join({
    ...told,
    begin: (position) => {
      log.push('begin')
      told.begin(position)
    },
    deliver: (delivery) => {
      log.push(delivery.data)
      told.deliver(delivery)
    },
  })
  const node: NatsTestNode = {
    ...rest,
    nats,
    broker,
    log,
    publish: (data, more) => broker.publish({ to: {}, data, ...more }),
    texts: () => rest.got.map(({ data }) => data),
  }
  nodes.push(node)
  return node
}

/** Joins nodes, and waits until they are ready. */
export async function joinNodes(
  server: Pick<NatsServer, 'url'>,
  ids: readonly string[],
  options?: NatsNodeOptions,
): Promise<NatsTestNode[]> {
  const joined = await Promise.all(ids.map((id) => joinNode(server, id, options)))
  await Promise.all(joined.map(({ broker }) => broker.ready))
  return joined
}

/** Closes all nodes of {@link joinNode}: for `afterEach`. */
export async function closeNodes(): Promise<void> {
  const all = nodes.splice(0)
  await Promise.all(all.map(({ broker }) => broker.close()))
  await Promise.all(all.map(({ nats }) => nats.close()))
}
