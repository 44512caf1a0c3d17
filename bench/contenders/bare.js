import express from 'express'
import Koa from 'koa'
import { frameOf, listen, numberIn, ROOM_SIZE } from './http.js'

/** @typedef {import('../types.js').Contender} Contender */
/** @typedef {import('node:http').ServerResponse} ServerResponse */

/** The headers that Comet sends. */
const HEADERS = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'no-cache, no-transform',
  'X-Accel-Buffering': 'no',
}

/** A plain loop over `res.write`, as in most tutorials. */
class Loop {
  /** @type {Set<ServerResponse>} */
  all = new Set()
  /** @type {Map<number, Set<ServerResponse>>} */
  targets = new Map()

  /** @param {number} target @param {ServerResponse} res */
  add(target, res) {
    res.writeHead(200, HEADERS)
    res.write('retry: 2000\n\n')
    this.all.add(res)
    const own = this.targets.get(target) ?? new Set()
    this.targets.set(target, own.add(res))
    res.on('close', () => {
      this.all.delete(res)
      own.delete(res)
      if (own.size === 0) this.targets.delete(target)
    })
  }

  /** @param {string} text @param {number} [target] */
  publish(text, target) {
    const frame = frameOf(text)
    for (const res of target === undefined ? this.all : (this.targets.get(target) ?? [])) res.write(frame)
  }
}

/** @type {Contender['path']} */
const path = (client, kind) => `/events?u=${kind === 'rooms' ? Math.floor(client / ROOM_SIZE) : client}`

/**
 * @param {(loop: Loop) => import('node:http').RequestListener} mount
 * @returns {Contender['start']}
 */
function startWith(mount) {
  return async () => {
    const loop = new Loop()
    const { port } = await listen(mount(loop))
    return { port, publish: (text, target) => loop.publish(text, target) }
  }
}

/** @type {Record<string, Contender>} */
export const bare = {
  node: {
    title: 'bare res.write on node:http',
    path,
    start: startWith((loop) => (req, res) => loop.add(numberIn(req.url), res)),
  },
  express: {
    title: 'bare res.write on Express 5',
    path,
    start: startWith((loop) => express().get('/events', (req, res) => loop.add(numberIn(req.url), res))),
  },
  koa: {
    title: 'bare res.write on Koa 3',
    path,
    start: startWith((loop) =>
      new Koa()
        .use((ctx) => {
          ctx.respond = false
          loop.add(numberIn(ctx.url), ctx.res)
        })
        .callback(),
    ),
  },
}
