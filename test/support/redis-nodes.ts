import type { RedisClient, RedisClusterOptions } from '../../adapters/redis/index.ts'
import { redisCluster } from '../../adapters/redis/index.ts'
import type {
  BrokerConnection,
  BrokerHandler,
  Command,
  ControllerConnection,
  Envelope,
} from '../../lib/index.ts'
import { brokerNode } from '../contracts/handlers.ts'
import { CLIENTS, type TestClient } from './redis-clients.ts'

/** What happened to a node, in order. */
export type Happening = string

/** A node with a broker and a controller, as a Comet has them. */
export interface RedisTestNode {
  readonly id: string
  readonly client: RedisClient
  readonly broker: BrokerConnection
  readonly controller: ControllerConnection
  readonly got: ReturnType<typeof brokerNode>['got']
  readonly restored: ReturnType<typeof brokerNode>['restored']
  readonly begun: string[]
  readonly statuses: boolean[]
  /** The data of events and the types of commands, in the order in which they came. */
  readonly log: string[]
  publish(data: string, more?: Partial<Envelope>): Promise<void>
  texts(): string[]
  close(): Promise<void>
}

export interface NodeOptions extends Partial<BrokerHandler> {
  /** One of CLIENTS. */
  readonly library?: string
  readonly handle?: (command: Command) => Promise<unknown>
  readonly cluster?: RedisClusterOptions
}

const nodes: { node: RedisTestNode; app: TestClient }[] = []

/** Joins a node over a client of its own. */
export async function joinNode(
  port: number,
  id: string,
  namespace: string,
  { library = 'redis 6, RESP 3', handle = async () => null, cluster, ...settings }: NodeOptions = {},
): Promise<RedisTestNode> {
  const app = await (CLIENTS[library] as (typeof CLIENTS)[string])(port)
  const ports = redisCluster(app.client, cluster)
  const log: string[] = []
  const { node: handler, got, restored, begun, statuses } = brokerNode(id, namespace, settings)
  const broker = ports.broker.join({
    ...handler,
    deliver: (delivery) => {
      log.push(delivery.data)
      handler.deliver(delivery)
    },
  })
  const controller = ports.controller.join({
    id,
    namespace,
    receives: handler.receives,
    onStatus: () => {},
    handle: async (command) => {
      log.push(command.type)
      return await handle(command)
    },
  })
  const node: RedisTestNode = {
    id,
    client: app.client,
    broker,
    controller,
    got,
    restored,
    begun,
    statuses,
    log,
    publish: (data, more) => broker.publish({ to: {}, data, ...more }),
    texts: () => got.map(({ data }) => data),
    close: async () => {
      await controller.close()
      await broker.close()
    },
  }
  nodes.push({ node, app })
  return node
}

/** Closes all nodes of {@link joinNode}: for `afterEach`. */
export async function closeNodes(): Promise<void> {
  const all = nodes.splice(0)
  await Promise.all(all.map(({ node }) => node.close()))
  for (const { app } of all) app.close()
}
