import { createAdapter as createPubSubAdapter } from '@socket.io/redis-adapter'
import { createAdapter as createStreamsAdapter } from '@socket.io/redis-streams-adapter'
import express from 'express'
import { Redis } from 'ioredis'
import { Server as SocketServer } from 'socket.io'
import { importComet } from '../comet-package.js'
import { listen } from '../contenders/http.js'

/**
 * One process of a cluster. All contenders use the same Redis client, ioredis.
 *
 * @typedef {object} ClusterNode
 * @property {number} port
 * @property {(text: string, target: number) => unknown} publish to a user, or to a room of ten users
 */

/**
 * @typedef {object} ClusterContender
 * @property {string} title
 * @property {string} client the contender of `../contenders` that its clients are of
 * @property {(kind: 'users' | 'rooms', redisPort: number) => Promise<ClusterNode>} start
 */

/** @param {number} port */
const connect = (port) => new Redis({ port, host: '127.0.0.1' })

/** @param {object} options @returns {ClusterContender['start']} */
const startComet = (options) => async (kind, redisPort) => {
  const [{ Comet }, { cometExpress }, { redisCluster }] = await Promise.all([
    importComet('.'),
    importComet('./express'),
    importComet('./redis'),
  ])
  const unlimited = { connectRate: 1_000_000_000, canEnter: () => true }
  const comet = new Comet({ ...redisCluster(connect(redisPort)), ...unlimited, ...options })
  const identify = ({ url = '' }) => /[?&]u=(\d+)/.exec(url)?.[1]
  const { port } = await listen(express().use('/comet', cometExpress(comet, { identify })))
  await comet.ready
  const key = kind === 'rooms' ? 'rid' : 'uid'
  return {
    port,
    publish: (evt, target) => comet.publish(/** @type {any} */ ({ [key]: String(target), evt })),
  }
}

/** @param {(port: number) => any} adapterOf @returns {ClusterContender['start']} */
const startSocketIo = (adapterOf) => async (_kind, redisPort) => {
  const { server, port } = await listen((_req, res) => res.writeHead(404).end())
  // Its clients here answer no pings.
  const options = { transports: [/** @type {const} */ ('websocket')], pingInterval: 600_000 }
  const io = new SocketServer(server, { ...options, adapter: adapterOf(redisPort) })
  io.on('connection', (/** @type {any} */ socket) => socket.join(String(socket.handshake.query.u)))
  return { port, publish: (text, target) => io.to(String(target)).emit('message', text) }
}

/** @type {Record<string, ClusterContender>} */
export const contenders = {
  comet: { title: 'Comet on Redis', client: 'comet-express', start: startComet({}) },
  'comet-no-history': {
    title: 'Comet on Redis, without a history',
    client: 'comet-express',
    start: startComet({ historyEvents: 0 }),
  },
  'socket.io-streams': {
    title: 'Socket.IO, streams adapter',
    client: 'socket.io',
    // With its default, 10,000 entries, a node that lags loses events.
    start: startSocketIo((port) => createStreamsAdapter(connect(port), { maxLen: 1_000_000 })),
  },
  'socket.io-pubsub': {
    title: 'Socket.IO, pub/sub adapter',
    client: 'socket.io',
    start: startSocketIo((port) => createPubSubAdapter(connect(port), connect(port))),
  },
}
