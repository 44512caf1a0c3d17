import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import http2, { type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import { createRequire } from 'node:module'
import type { AddressInfo, Server, Socket } from 'node:net'
import express from 'express'
import Koa from 'koa'
import { cometExpress } from '../../adapters/express.ts'
import { cometKoa } from '../../adapters/koa.ts'
import { cometHandler } from '../../adapters/node.ts'
import { Comet, type CometOptions, type Identified } from '../../lib/index.ts'
import { ANY_RATE } from './comets.ts'
import { until } from './inbox.ts'

// The older majors are installed under an alias, for which there are no types.
const require = createRequire(import.meta.url)
const express4 = require('express4') as typeof express
const Koa2 = require('koa2') as typeof Koa

/** The raw request, whichever framework serves it. */
export type Request = IncomingMessage | Http2ServerRequest

/** The raw response to a {@link Request}. */
export type Response = ServerResponse | Http2ServerResponse

/** @param source what the framework gives to `identify`: Express's Request, Koa's Context, or the raw request */
export type Identify = (req: Request, source: unknown) => Identified | Promise<Identified>

export interface AppOptions {
  /** A Comet of the test, or the options of one. It is closed with the app. */
  readonly comet?: Comet | CometOptions
  /** Default: {@link identifyByHeader}. */
  readonly identify?: Identify
  readonly crossSite?: boolean
  readonly serveClient?: boolean
  /** Middlewares of the adapter's framework that come before Comet. */
  readonly before?: readonly unknown[]
}

/** A running app with Comet at `/comet`. */
export interface TestApp {
  readonly comet: Comet
  readonly server: Server
  readonly port: number
  /** `http://127.0.0.1:<port>` */
  readonly origin: string
  /** The URL of the stream. */
  readonly url: string
  readonly http2: boolean
  /** The open connections. */
  readonly sockets: ReadonlySet<Socket>
  /** What the Comet emitted to `'error'`. */
  readonly errors: unknown[]
  /**
   * What took the app's own error path: Express's error middleware, Koa's `'error'`. Without a framework that is the
   * Comet's `'error'`, and this is the same array as `errors`.
   */
  readonly failures: unknown[]
  /** Closes the Comet, the server and every open connection. Idempotent. */
  close(): Promise<void>
}

/** A way to serve Comet over HTTP. */
export interface Adapter {
  readonly name: string
  readonly kind: 'express' | 'koa' | 'node'
  readonly http2: boolean
  /** The status of a request that Comet passes on: the app's own, or without a framework the adapter's. */
  readonly passed: number
  readonly build: Build
}

type Failed = (error: unknown) => void
type Listener = Parameters<typeof http.createServer>[1]
type Build = (comet: Comet, identify: Identify, options: AppOptions, failed: Failed) => unknown

/** The status of the app's own answers. */
export const APP_STATUS = 418

export const nodeHttp = adapter('node:http', 'node', buildNode)
export const nodeHttp2 = adapter('node:http2', 'node', buildNode, true)

/** Every framework and server that Comet supports. */
export const adapters: readonly Adapter[] = [
  adapter('Express 5', 'express', buildExpress(express)),
  adapter('Express 4', 'express', buildExpress(express4)),
  adapter('Koa 3', 'koa', buildKoa(Koa)),
  adapter('Koa 2', 'koa', buildKoa(Koa2)),
  nodeHttp,
  nodeHttp2,
  adapter('Koa 3 over HTTP/2', 'koa', buildKoa(Koa), true),
]

/** @throws Error when there is no adapter of that name */
export function adapterOf(name: string | undefined): Adapter {
  const found = adapters.find((each) => each.name === name)
  if (found === undefined) throw new Error(`There is no adapter ${name}`)
  return found
}

/** The adapters of a kind over HTTP/1. */
export function byKind(kind: Adapter['kind']): Adapter[] {
  return adapters.filter((each) => each.kind === kind && !each.http2)
}

/** Identifies a user by the header `x-user`, else by `?u=`. */
export function identifyByHeader(req: Request): Identified {
  const user = req.headers['x-user'] ?? new URLSearchParams(req.url?.split('?')[1]).get('u')
  return typeof user === 'string' ? user : undefined
}

function adapter(name: string, kind: Adapter['kind'], build: Build, isHttp2 = false): Adapter {
  return { name, kind, http2: isHttp2, passed: kind === 'node' ? 404 : APP_STATUS, build }
}

export async function startApp(adapter: Adapter, options: AppOptions = {}): Promise<TestApp> {
  const { kind, build, http2: isHttp2 } = adapter
  const comet = options.comet instanceof Comet ? options.comet : new Comet({ ...ANY_RATE, ...options.comet })
  const errors: unknown[] = []
  const failures: unknown[] = kind === 'node' ? errors : []
  comet.on('error', (error) => errors.push(error))
  const listener = build(comet, options.identify ?? identifyByHeader, options, (error) =>
    failures.push(error),
  )
  const server = isHttp2
    ? http2.createServer(listener as Parameters<typeof http2.createServer>[1])
    : http.createServer(listener as Listener)
  return { comet, errors, failures, http2: isHttp2, ...(await listen(server, comet)) }
}

/** Starts an app, and closes it after `use`. */
export async function withApp<T>(
  adapter: Adapter,
  options: AppOptions,
  use: (app: TestApp) => Promise<T>,
): Promise<T> {
  const app = await startApp(adapter, options)
  try {
    return await use(app)
  } finally {
    await app.close()
  }
}

/** Lets a server listen on a free port. `close` closes it with its Comet and all its connections. */
export async function listen(server: Server, comet: Comet) {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  // No connection ends because it was idle: what a test waits for must have another cause.
  if (server instanceof http.Server) server.keepAliveTimeout = 0
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // As an app on Redis does before it takes clients. See test/redis/core/.
  if (process.env.COMET_CORE_REDIS !== undefined) await comet.ready.catch(() => {})
  const { port } = server.address() as AddressInfo
  const origin = `http://127.0.0.1:${port}`
  let closing: Promise<void> | undefined
  const close = async () => {
    const closed = server.listening ? new Promise((resolve) => server.close(resolve)) : undefined
    await comet.close({ drain: 500 })
    for (const socket of sockets) socket.destroy()
    await closed
  }
  return {
    server,
    sockets,
    port,
    origin,
    url: `${origin}/comet`,
    close: () => {
      closing ??= close()
      return closing
    },
  }
}

/** Closes the server of an app, as the app would. Settles when its last connection is gone. */
export function closeServer({ server }: Pick<TestApp, 'server'>): Promise<void> {
  return new Promise((resolve, reject) => server.close((error) => (error ? reject(error) : resolve())))
}

function buildExpress(create: typeof express): Build {
  return (comet, identify, { crossSite = false, serveClient = false, before = [] }, failed) => {
    const app = create()
    for (const middleware of before) app.use(middleware as express.RequestHandler)
    app.use('/comet', cometExpress(comet, { identify: (req) => identify(req, req), crossSite, serveClient }))
    app.use((_req, res) => {
      res.status(APP_STATUS).send('the app')
    })
    app.use((error: unknown, _req: express.Request, res: express.Response, _next: express.NextFunction) => {
      failed(error)
      res.status((error as { status?: number }).status ?? 500).send('the app failed')
    })
    return app
  }
}

function buildKoa(Class: typeof Koa): Build {
  return (comet, identify, { crossSite = false, serveClient = false, before = [] }, failed) => {
    const app = new Class()
    app.on('error', failed)
    for (const middleware of before) app.use(middleware as Koa.Middleware)
    const options = {
      path: '/comet',
      crossSite,
      serveClient,
      identify: (ctx: Koa.Context) => identify(ctx.req, ctx),
    }
    app.use(cometKoa(comet, options))
    app.use((ctx) => {
      ctx.status = APP_STATUS
      ctx.body = 'the app'
    })
    return app.callback()
  }
}

function buildNode(
  comet: Comet,
  identify: Identify,
  { crossSite = false, serveClient = false, before = [] }: AppOptions,
): unknown {
  const handler = cometHandler(comet, {
    path: '/comet',
    identify: (req) => identify(req, req),
    crossSite,
    serveClient,
  })
  type Middleware = (req: Request, res: unknown, next: () => void) => void
  return before.reduceRight<(req: Request, res: never) => void>(
    (next, middleware) => (req, res) => (middleware as Middleware)(req, res, () => next(req, res)),
    (req, res) => handler(req, res),
  )
}

/** Settles when a server has no open connection. */
export async function untilNoSockets(app: Pick<TestApp, 'sockets'>): Promise<void> {
  await until(
    () => app.sockets.size === 0,
    () => `without connections, but with ${app.sockets.size}`,
  )
}

/** Settles when an app has that many sessions. */
export async function untilSessions({ comet }: Pick<TestApp, 'comet'>, count: number): Promise<void> {
  await until(
    () => comet.stats().sessions === count,
    () => `with ${count} sessions, but with ${comet.stats().sessions}`,
  )
}

/** Returns what took the app's own error path since the last call, and forgets it. */
export function takeFailures({ failures }: TestApp): unknown[] {
  return failures.splice(0)
}
