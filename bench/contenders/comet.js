import compression from 'compression'
import express from 'express'
import Koa from 'koa'
import { importComet } from '../comet-package.js'
import { listen, ROOM_SIZE } from './http.js'

/**
 * `--against` runs this file with builds of other commits, too. Use only methods and options that those have.
 *
 * @typedef {import('../types.js').Contender} Contender
 */
/** @typedef {import('comet-sse').Comet} Comet */

/** @type {Contender['path']} */
const path = (client, kind) => {
  if (kind !== 'rooms') return `/comet?u=${client}`
  return `/comet?rid=${Math.floor(client / ROOM_SIZE)}&u=${client}`
}

/** @param {{ url?: string | undefined }} request */
const identify = ({ url = '' }) => /[?&]u=(\d+)/.exec(url)?.[1]

/** @param {Comet} comet */
async function forExpress(comet) {
  const { cometExpress } = await importComet('./express')
  return cometExpress(comet, { identify })
}

/** @param {Comet} comet */
async function forKoa(comet) {
  const { cometKoa } = await importComet('./koa')
  return cometKoa(comet, { path: '/comet', identify })
}

/**
 * Makes a Comet whose users may connect as often as a scenario needs. Earlier commits have no such limit.
 *
 * @param {typeof import('comet-sse').Comet} Class
 * @param {import('comet-sse').CometOptions} options
 */
function make(Class, options) {
  try {
    return new Class({ ...options, connectRate: 1_000_000_000 })
  } catch {
    return new Class(options)
  }
}

/**
 * @param {(comet: Comet) => Promise<import('node:http').RequestListener>} mount
 * @returns {Contender['start']}
 */
function startWith(mount) {
  return async (kind, options) => {
    const { Comet } = await importComet('.')
    const comet = make(Comet, { canEnter: () => true, ...options })
    const { port } = await listen(await mount(comet))
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
    start: startWith(async (comet) => express().use('/comet', await forExpress(comet))),
  },
  compression: {
    title: 'Comet on Express 5 behind compression',
    path,
    start: startWith(async (comet) =>
      express()
        .use(compression())
        .use('/comet', await forExpress(comet)),
    ),
  },
  koa: {
    title: 'Comet on Koa 3',
    path,
    start: startWith(async (comet) => new Koa().use(await forKoa(comet)).callback()),
  },
}
