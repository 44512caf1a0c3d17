import { createAdapter as createPubSubAdapter } from '@socket.io/redis-adapter'
import { createAdapter as createStreamsAdapter } from '@socket.io/redis-streams-adapter'
import express from 'express'
import { Server as SocketServer } from 'socket.io'
import { importComet } from '../comet-package.js'
import { listen } from '../contenders/http.js'
import { connectNats, connectRedis } from './clients.js'

/** @typedef {import('./servers.js').Ports} Ports */

/**
 * One process of a cluster. All contenders use ioredis for Redis.
 *
 * @typedef {object} ClusterNode
 * @property {number} port
 * @property {(text: string, target: number) => unknown} publish to a user, or to a room of ten users
 */

/**
 * @typedef {object} ClusterContender
 * @property {string} title
 * @property {string} client the contender of `../contenders` that its clients are of
 * @property {import('./servers.js').Server[]} servers
 * @property {(kind: 'users' | 'rooms', ports: Ports) => Promise<ClusterNode>} start
 */

/**
 * @param {object} options
 * @param {(ports: Ports) => Promise<{ broker: import('comet-sse').Broker }>} [brokerOf] default: that of Redis
 * @returns {ClusterContender['start']}
 */
const startComet = (options, brokerOf) => async (kind, ports) => {
  const [{ Comet }, { cometExpress }, { redisCluster }] = await Promise.all([
    importComet('.'),
    importComet('./express'),
    importComet('./redis'),
  ])
  const unlimited = { connectRate: 1_000_000_000, canEnter: () => true }
  const cluster = { ...redisCluster(connectRedis(ports.redis)), ...(await brokerOf?.(ports)) }
  const comet = new Comet({ ...cluster, ...unlimited, ...options })
  const identify = ({ url = '' }) => /[?&]u=(\d+)/.exec(url)?.[1]
  const { port } = await listen(express().use('/comet', cometExpress(comet, { identify })))
  await comet.ready
  const key = kind === 'rooms' ? 'rid' : 'uid'
  return {
    port,
    publish: (evt, target) => comet.publish(/** @type {any} */ ({ [key]: String(target), evt })),
  }
}

/** @param {number} port @param {import('comet-sse/nats').NatsBrokerOptions} [options] */
const natsBroker = async (port, options) => {
  const { NatsBroker } = await importComet('./nats')
  return { broker: new NatsBroker(await connectNats(port), options) }
}

/** @param {(port: number) => any} adapterOf @returns {ClusterContender['start']} */
const startSocketIo = (adapterOf) => async (_kind, ports) => {
  const { server, port } = await listen((_req, res) => res.writeHead(404).end())
  // Its clients here answer no pings.
  const options = { transports: [/** @type {const} */ ('websocket')], pingInterval: 600_000 }
  const io = new SocketServer(server, { ...options, adapter: adapterOf(ports.redis) })
  io.on('connection', (/** @type {any} */ socket) => socket.join(String(socket.handshake.query.u)))
  return { port, publish: (text, target) => io.to(String(target)).emit('message', text) }
}

/** @type {Record<string, ClusterContender>} */
export const contenders = {
  comet: {
    title: 'Comet on Redis',
    client: 'comet-express',
    servers: ['redis'],
    start: startComet({}),
  },
  'comet-no-history': {
    title: 'Comet on Redis, without a history',
    client: 'comet-express',
    servers: ['redis'],
    start: startComet({ historyEvents: 0 }),
  },
  'comet-nats': {
    title: 'Comet on NATS',
    client: 'comet-express',
    servers: ['redis', 'nats'],
    start: startComet({}, ({ nats }) => natsBroker(nats)),
  },
  'comet-nats-jetstream': {
    title: 'Comet on NATS, JetStream',
    client: 'comet-express',
    servers: ['redis', 'jetstream'],
    start: startComet({}, ({ jetstream }) => natsBroker(jetstream, { jetstream: true })),
  },
  'socket.io-streams': {
    title: 'Socket.IO, streams adapter',
    client: 'socket.io',
    servers: ['redis'],
    // With its default, 10,000 entries, a node that lags loses events.
    start: startSocketIo((port) => createStreamsAdapter(connectRedis(port), { maxLen: 1_000_000 })),
  },
  'socket.io-pubsub': {
    title: 'Socket.IO, pub/sub adapter',
    client: 'socket.io',
    servers: ['redis'],
    start: startSocketIo((port) => createPubSubAdapter(connectRedis(port), connectRedis(port))),
  },
}
