import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { createClient } from 'redis'
import { importComet } from '../comet-package.js'
import { connectNats, connectRedis } from './clients.js'

/**
 * A broker of one process, and the client that it uses.
 *
 * @typedef {object} StartedBroker
 * @property {import('comet-sse').Broker} broker
 * @property {(texts: string[]) => Promise<unknown>} append stores texts without the broker, or publishes them where
 *   nothing is stored: one message each. Settles when the server has them
 */

/**
 * @typedef {object} BrokerContender
 * @property {string} title
 * @property {import('./servers.js').Server[]} servers
 * @property {(ports: import('./servers.js').Ports) => Promise<StartedBroker>} start
 */

/** The subject, the key or the stream of what is appended. */
const FLOOR = 'floor'

/** The most bytes of what is appended that JetStream keeps: as much as of a broker's events. */
const FLOOR_BYTES = 33_554_432

/** XADD, as a list of its arguments. @param {string} text */
const xadd = (text) => [FLOOR, 'MAXLEN', '~', '10000', '*', 'd', text]

/** @type {Record<string, BrokerContender>} */
export const brokers = {
  redis: {
    title: 'Redis, client redis',
    servers: ['redis'],
    async start({ redis }) {
      const { redisCluster } = await importComet('./redis')
      const client = await createClient({ socket: { host: '127.0.0.1', port: redis } }).connect()
      return {
        broker: redisCluster(client).broker,
        append: (texts) => Promise.all(texts.map((text) => client.sendCommand(['XADD', ...xadd(text)]))),
      }
    },
  },
  ioredis: {
    title: 'Redis, client ioredis',
    servers: ['redis'],
    async start({ redis }) {
      const { redisCluster } = await importComet('./redis')
      const client = connectRedis(redis)
      return {
        broker: redisCluster(client).broker,
        append: (texts) => Promise.all(texts.map((text) => client.call('XADD', xadd(text)))),
      }
    },
  },
  nats: {
    title: 'NATS',
    servers: ['nats'],
    async start({ nats }) {
      const { NatsBroker } = await importComet('./nats')
      const client = await connectNats(nats)
      return {
        broker: new NatsBroker(client),
        append(texts) {
          for (const text of texts) client.publish(FLOOR, text)
          return client.flush()
        },
      }
    },
  },
  'nats-jetstream': {
    title: 'NATS, JetStream',
    servers: ['jetstream'],
    async start(ports) {
      const { NatsBroker } = await importComet('./nats')
      const client = await connectNats(ports.jetstream)
      const { streams } = await jetstreamManager(client)
      await streams.add({ name: FLOOR, subjects: [FLOOR], max_bytes: FLOOR_BYTES })
      const stream = jetstream(client)
      return {
        broker: new NatsBroker(client, { jetstream: true }),
        append: (texts) => Promise.all(texts.map((text) => stream.publish(FLOOR, text))),
      }
    },
  },
}
