import { Transmit } from '@boringnode/transmit'
import { fastifySSE } from '@fastify/sse'
import { createChannel, createEventBuffer, createSession } from 'better-sse'
import express from 'express'
import SSE from 'express-sse'
import fastify from 'fastify'
import { Server as SocketServer } from 'socket.io'
import { WebSocketServer } from 'ws'
import { listen, numberIn, ROOM_SIZE } from './http.js'

/** @typedef {import('../types.js').Contender} Contender */

/** @type {Contender['path']} */
const path = (client, kind) => `/events?u=${kind === 'rooms' ? Math.floor(client / ROOM_SIZE) : client}`

/** Returns a function that makes a value for each number at its first call. @template T @param {() => T} make */
function keyed(make) {
  /** @type {Map<number, T>} */
  const known = new Map()
  /** @param {number} key */
  return (key) => {
    const value = known.get(key) ?? make()
    known.set(key, value)
    return value
  }
}

/** @param {boolean} batched @returns {Contender['start']} */
const startBetterSse = (batched) => async (kind) => {
  const world = createChannel()
  const channelOf = keyed(createChannel)
  const app = express()
  app.get('/events', async (req, res) => {
    const session = await createSession(req, res)
    world.register(session)
    if (kind !== 'fanout') channelOf(numberIn(req.url)).register(session)
  })
  const { port } = await listen(app)
  return {
    port,
    publish: (text, target) => (target === undefined ? world : channelOf(target)).broadcast(text),
    ...(batched
      ? {
          burst(texts) {
            const buffer = createEventBuffer()
            for (const text of texts) buffer.push(text)
            for (const session of world.activeSessions) session.batch(buffer)
          },
        }
      : {}),
  }
}

/** @type {Record<string, Contender>} */
export const libraries = {
  'better-sse': { title: 'better-sse on Express 5', path, start: startBetterSse(false) },
  'better-sse-batch': {
    title: 'better-sse with its batch',
    path,
    kinds: ['fanout'],
    start: startBetterSse(true),
  },
  transmit: {
    title: '@boringnode/transmit on node:http',
    path,
    async start() {
      const transmit = new Transmit({ pingInterval: false, transport: null })
      const { port } = await listen((request, response) => {
        const uid = String(numberIn(request.url)) + Math.random()
        const stream = transmit.createStream({
          uid,
          context: {},
          request,
          response,
          injectResponseHeaders: {},
        })
        transmit.subscribe({ uid, channel: 'world', context: {} })
        transmit.subscribe({ uid, channel: String(numberIn(request.url)), context: {} })
        return stream
      })
      return {
        port,
        publish: (text, target) => transmit.broadcast(target === undefined ? 'world' : String(target), text),
      }
    },
  },
  'express-sse': {
    title: 'express-sse on Express 5',
    path,
    kinds: ['fanout'],
    async start() {
      const sse = new SSE()
      // Every client adds a listener to one emitter, and Node would warn about more than ten.
      sse.setMaxListeners(0)
      const { port } = await listen(express().get('/events', sse.init))
      return { port, publish: (text) => sse.send(text) }
    },
  },
  'fastify-sse': {
    title: '@fastify/sse',
    path,
    async start(kind) {
      const app = fastify()
      await app.register(fastifySSE)
      /** @type {Set<any>} */
      const all = new Set()
      const targetOf = keyed(() => new Set())
      app.get('/events', { sse: true }, async (/** @type {any} */ request, /** @type {any} */ reply) => {
        const { sse } = reply
        const sets = kind === 'fanout' ? [all] : [all, targetOf(numberIn(request.url))]
        sse.keepAlive()
        for (const set of sets) set.add(sse)
        sse.onClose(() => {
          for (const set of sets) set.delete(sse)
        })
        await sse.send({ data: 'hello' })
      })
      await app.listen({ port: 0, host: '127.0.0.1', backlog: 16_384 })
      const { port } = /** @type {import('node:net').AddressInfo} */ (app.server.address())
      let id = 0
      return {
        port,
        publish(text, target) {
          id += 1
          for (const sse of target === undefined ? all : targetOf(target))
            sse.send({ id: String(id), data: text })
        },
      }
    },
  },
  'socket.io': {
    title: 'Socket.IO (websocket)',
    protocol: 'socket.io',
    path: (client, kind) =>
      `/socket.io/?EIO=4&transport=websocket${path(client, kind).replace('/events?', '&')}`,
    async start() {
      const { server, port } = await listen((_req, res) => res.writeHead(404).end())
      const io = new SocketServer(server, { transports: ['websocket'], pingInterval: 600_000 })
      io.on('connection', (/** @type {any} */ socket) => socket.join(String(socket.handshake.query.u)))
      return {
        port,
        publish: (text, target) => (target === undefined ? io : io.to(String(target))).emit('message', text),
      }
    },
  },
  ws: {
    title: 'ws (no server-sent events)',
    protocol: 'websocket',
    path,
    async start() {
      const { server, port } = await listen((_req, res) => res.writeHead(404).end())
      const wss = new WebSocketServer({ server })
      const targetOf = keyed(() => new Set())
      wss.on('connection', (/** @type {any} */ socket, /** @type {any} */ req) =>
        targetOf(numberIn(req.url)).add(socket),
      )
      return {
        port,
        publish(text, target) {
          for (const socket of target === undefined ? wss.clients : targetOf(target)) socket.send(text)
        },
      }
    },
  },
}
