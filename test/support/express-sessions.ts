import http from 'node:http'
import { createRequire } from 'node:module'
import express from 'express'
import session from 'express-session'
import { cometExpress } from '../../adapters/express.ts'
import { Comet, type CometOptions } from '../../lib/index.ts'
import { listen } from './apps.ts'
import { connect, request } from './clients.ts'
import { Gate } from './inbox.ts'

declare module 'express-session' {
  interface SessionData {
    userId: string
    cart: string[]
    visits: number
  }
}

const express4 = createRequire(import.meta.url)('express4') as typeof express

/** The majors of Express, by name. */
export const EXPRESSES = [
  ['Express 5', express],
  ['Express 4', express4],
] as const

/** A store in memory that tells what it was asked, and whose saving a test can hold up. */
export class RecordingStore extends session.MemoryStore {
  /** The calls that change something, in order, such as `set alice`. */
  readonly calls: string[] = []
  /** Fails every save while it is set. */
  failure: Error | undefined
  #gate: Gate | undefined

  /** Lets every save from now on wait. @returns opened by the test */
  hold(): Gate {
    this.#gate = new Gate()
    return this.#gate
  }

  override set(sid: string, data: session.SessionData, done?: (error?: unknown) => void): void {
    this.calls.push('set')
    const store = () => super.set(sid, data, done)
    if (this.failure !== undefined) setImmediate(() => done?.(this.failure))
    else if (this.#gate === undefined) store()
    else this.#gate.pass().then(store)
  }

  override touch(sid: string, data: session.SessionData, done?: () => void): void {
    this.calls.push('touch')
    super.touch(sid, data, done)
  }

  override destroy(sid: string, done?: (error?: unknown) => void): void {
    this.calls.push('destroy')
    super.destroy(sid, done)
  }
}

interface Options extends Omit<session.SessionOptions, 'secret' | 'store'> {
  readonly comet?: CometOptions
  /** Middlewares before the session. */
  readonly before?: readonly express.RequestHandler[]
  /** Middlewares between the session and Comet. */
  readonly between?: readonly express.RequestHandler[]
  readonly identify?: (req: express.Request) => string | undefined
}

/** Starts an app with a sign-in, a cart and the sign-out of the guide on login, all by express-session. */
export async function startSessionApp(create: typeof express, options: Options = {}) {
  const { comet: cometOptions, before = [], between = [], identify, ...own } = options
  const store = new RecordingStore()
  const comet = new Comet(cometOptions)
  const errors: unknown[] = []
  const failures: unknown[] = []
  comet.on('error', (error) => errors.push(error))
  const app = create()
  app.set('env', 'test')
  for (const middleware of before) app.use(middleware)
  app.use(session({ secret: 'secret', store, resave: true, saveUninitialized: true, ...own }))
  for (const middleware of between) app.use(middleware)
  app.use('/comet', cometExpress(comet, { identify: identify ?? ((req) => req.session.userId) }))
  app.post('/sign-in', (req, res) => {
    Object.assign(req.session, { userId: 'alice', cart: [] })
    res.sendStatus(204)
  })
  app.post('/cart', (req, res) => {
    req.session.cart = [...(req.session.cart ?? []), 'book']
    res.sendStatus(204)
  })
  app.get('/me', (req, res) => {
    res.json({ userId: req.session.userId ?? null, cart: req.session.cart ?? null })
  })
  app.post('/sign-out', (req, res, next) => {
    const uid = req.session.userId as string
    req.session.destroy((error) => {
      if (error) next(error)
      else comet.disconnect({ uid }).then(() => res.sendStatus(204), next)
    })
  })
  app.use((error: unknown, _req: express.Request, res: express.Response, next: express.NextFunction) => {
    failures.push(error)
    if (res.headersSent) next(error)
    else res.status(500).send('the app failed')
  })
  const served = await listen(http.createServer(app), comet)
  const send = (method: string, path: string, cookie?: string) =>
    request({ url: served.origin }, { method, path, headers: cookie === undefined ? {} : { cookie } })
  return {
    ...served,
    comet,
    store,
    errors,
    failures,
    send,
    /** Signs in. @returns the cookie */
    signIn: async () => cookieOf(await send('POST', '/sign-in')) as string,
    /** What the app knows of the owner of a cookie. */
    me: async (cookie: string) => (await send('GET', '/me', cookie)).json,
    open: (cookie: string, path = '') => connect(served, '', { path, headers: { cookie } }),
  }
}

/** Returns the cookie that an answer sets, as a client sends it. */
export function cookieOf({ headers }: { headers: http.IncomingHttpHeaders }): string | undefined {
  return headers['set-cookie']?.map((cookie) => cookie.split(';')[0]).join('; ')
}
