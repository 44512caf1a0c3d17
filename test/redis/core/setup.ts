import { Redis } from 'ioredis'
import { type RedisCluster, redisCluster } from '../../../adapters/redis/index.ts'
import { Comet, MemoryBroker } from '../../../lib/index.ts'
import { DIFFERENCES } from './differences.ts'

/**
 * Required by mocha beside the tests of the core, which then run on Redis without a change: each MemoryBroker that they
 * make, or that a Comet makes for itself, is a namespace of the Redis on the port COMET_CORE_REDIS.
 */
const client = new Redis({ port: Number(process.env.COMET_CORE_REDIS), host: '127.0.0.1' })

/** The handler of a port, as the core makes it. */
interface Handler {
  readonly id: string
  readonly namespace: string
}

/** What stands for a MemoryBroker. */
interface Stand {
  readonly ports: RedisCluster
  readonly name: string
}

const stands = new WeakMap<MemoryBroker, Stand>()
/** By node. A presence or a controller does not know its broker, which each node joins first. */
const byNode = new Map<string, Stand>()
let count = 0

function standOf(broker: MemoryBroker): Stand {
  const known = stands.get(broker)
  if (known !== undefined) return known
  count += 1
  const stand = { ports: redisCluster(client), name: `${process.pid} ${count}` }
  stands.set(broker, stand)
  return stand
}

const within = <H extends Handler>(handler: H, { name }: Stand): H => ({
  ...handler,
  namespace: `${name} ${handler.namespace}`,
})

MemoryBroker.prototype.join = function (handler) {
  const stand = standOf(this)
  byNode.set(handler.id, stand)
  return stand.ports.broker.join(within(handler, stand))
}

/** What a test joins itself, or with a broker of its own, stays in memory. */
const sample = new MemoryBroker()
for (const port of ['presence', 'controller'] as const) {
  const prototype = Object.getPrototypeOf(sample[port])
  const { join } = prototype
  prototype.join = function (handler: Handler) {
    const stand = byNode.get(handler.id)
    if (stand === undefined) return join.call(this, handler)
    return stand.ports[port].join(within(handler, stand) as never)
  }
}

/**
 * A test may close its Comet while a call runs that it does not await. In memory the call was done at once; here it is
 * rejected, which must not count as unhandled.
 */
function ignorable<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}

const { connect, disconnect } = Comet.prototype
/** As an app does that awaits `ready` before it takes clients. */
Comet.prototype.connect = function (options) {
  const connected = async () => {
    await this.ready.catch(() => {})
    return await connect.call(this, options)
  }
  return ignorable(connected())
}
Comet.prototype.disconnect = function (...args) {
  return ignorable(disconnect.apply(this, args))
}

export const mochaHooks = {
  beforeEach(this: Mocha.Context): void {
    if (Object.hasOwn(DIFFERENCES, this.currentTest?.fullTitle() ?? '')) this.skip()
  },
  afterAll(): void {
    client.disconnect()
  },
}
