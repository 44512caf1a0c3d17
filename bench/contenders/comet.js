import { Comet } from 'comet-sse'
import { cometExpress } from 'comet-sse/express'
import { cometKoa } from 'comet-sse/koa'
import compression from 'compression'
import express from 'express'
import Koa from 'koa'
import { listen, ROOM_SIZE } from './http.js'

/** @typedef {import('../types.js').Contender} Contender */

/** @type {Contender['path']} */
const path = (client, kind) => {
  if (kind !== 'rooms') return `/comet?u=${client}`
  return `/comet?rid=${Math.floor(client / ROOM_SIZE)}&u=${client}`
}

/** @param {{ url?: string | undefined }} request */
const identify = ({ url = '' }) => /[?&]u=(\d+)/.exec(url)?.[1]

/**
 * @param {(comet: Comet) => import('node:http').RequestListener} mount
 * @returns {Contender['start']}
 */
function startWith(mount) {
  return async (kind) => {
    const comet = new Comet({ canEnter: () => true })
    const { port } = await listen(mount(comet))
    const key = kind === 'rooms' ? 'rid' : 'uid'
    return {
      port,
      position: () => comet.history({}).at(-1)?.position ?? '',
      publish: (evt, target) =>
        comet.publish(target === undefined ? { evt } : /** @type {any} */ ({ [key]: String(target), evt })),
    }
  }
}

/** @type {Record<string, Contender>} */
export const comet = {
  express: {
    title: 'Comet on Express 5',
    path,
    start: startWith((comet) => express().use('/comet', cometExpress(comet, { identify }))),
  },
  compression: {
    title: 'Comet on Express 5 behind compression',
    path,
    start: startWith((comet) =>
      express().use(compression()).use('/comet', cometExpress(comet, { identify })),
    ),
  },
  koa: {
    title: 'Comet on Koa 3',
    path,
    start: startWith((comet) => new Koa().use(cometKoa(comet, { path: '/comet', identify })).callback()),
  },
}
