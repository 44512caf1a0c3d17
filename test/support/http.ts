import http, { type IncomingMessage } from 'node:http'
import http2, { type Http2ServerRequest } from 'node:http2'
import { createRequire } from 'node:module'
import type { AddressInfo, Server, Socket } from 'node:net'
import express from 'express'
import Koa from 'koa'
import { cometExpress } from '../../adapters/express.ts'
import { cometKoa } from '../../adapters/koa.ts'
import { cometHandler } from '../../adapters/node.ts'
import { Comet, type CometOptions, type Identified } from '../../lib/index.ts'
import { until } from './inbox.ts'

// The older majors stand under an alias, for which there are no types.
const require = createRequire(import.meta.url)
const express4 = require('express4') as typeof express
const Koa2 = require('koa2') as typeof Koa

/** The raw request, whichever framework stands before it. */
export type Request = IncomingMessage | Http2ServerRequest

export type Identify = (req: Request) => Identified | Promise<Identified>

export interface HostOptions {
  /** A Comet of the test's own, or the options of one. It is closed with the host. */
  readonly comet?: Comet | CometOptions
  /** Default: the header `x-user`, else `?u=`; without both nobody. */
  readonly identify?: Identify
  readonly crossSite?: boolean
  /** Middlewares of the adapter's framework that stand before Comet. */
  readonly before?: readonly unknown[]
}

/** A server of a host app, with Comet at `/comet`. */
export interface Host {
  readonly comet: Comet
  readonly server: Server
  readonly port: number
  /** `http://127.0.0.1:<port>` */
  readonly origin: string
  /** Where Comet is mounted. */
  readonly url: string
  readonly http2: boolean
  /** The connections that are open. */
  readonly sockets: ReadonlySet<Socket>
  /** What went to the Comet's `'error'`. */
  readonly errors: unknown[]
  /** What took the host's own error path: Express's error middleware, Koa's `'error'`, for bare Node `'error'`. */
  readonly failures: unknown[]
  /** Closes the Comet, the server and whatever is still connected. Idempotent. */
  close(): Promise<void>
}

export interface Adapter {
  readonly name: string
  readonly kind: 'express' | 'koa' | 'node'
  readonly http2: boolean
  /** The status of what Comet does not answer: the host's own, or for bare Node the adapter's. */
  readonly passed: number
  host(options?: HostOptions): Promise<Host>
}

type Failed = (error: unknown) => void
type Listener = Parameters<typeof http.createServer>[1]
type Build = (comet: Comet, identify: Identify, options: HostOptions, failed: Failed) => unknown

/** What a host answers to what Comet passed on. */
export const HOST_STATUS = 418

/** Every server that Comet can stand behind. */
export const adapters: readonly Adapter[] = [
  adapter('Express 5', 'express', buildExpress(express)),
  adapter('Express 4', 'express', buildExpress(express4)),
  adapter('Koa 3', 'koa', buildKoa(Koa)),
  adapter('Koa 2', 'koa', buildKoa(Koa2)),
  adapter('node:http', 'node', buildNode),
  adapter('node:http2', 'node', buildNode, true),
  adapter('Koa 3 over HTTP/2', 'koa', buildKoa(Koa), true),
]

/** Those where a client has a connection of its own for each stream. */
export const http1Adapters = adapters.filter((each) => !each.http2)

export const byKind = (kind: Adapter['kind']): Adapter[] => http1Adapters.filter((each) => each.kind === kind)

/** Who sent a request, by its header `x-user` or else `?u=`. */
export function identifyByHeader(req: Request): Identified {
  const user = req.headers['x-user'] ?? new URLSearchParams(req.url?.split('?')[1]).get('u')
  return typeof user === 'string' ? user : undefined
}

function adapter(name: string, kind: Adapter['kind'], build: Build, isHttp2 = false): Adapter {
  const passed = kind === 'node' ? 404 : HOST_STATUS
  return {
    name,
    kind,
    http2: isHttp2,
    passed,
    async host(options = {}) {
      const comet = options.comet instanceof Comet ? options.comet : new Comet(options.comet)
      const errors: unknown[] = []
      const failures: unknown[] = []
      comet.on('error', (error) => {
        errors.push(error)
        if (kind === 'node') failures.push(error)
      })
      const listener = build(comet, options.identify ?? identifyByHeader, options, (error) =>
        failures.push(error),
      )
      const server = isHttp2
        ? http2.createServer(listener as Parameters<typeof http2.createServer>[1])
        : http.createServer(listener as Listener)
      return { comet, errors, failures, http2: isHttp2, ...(await listen(server, comet)) }
    },
  }
}

/** Has a server listen on a free port, and closes it with all its connections. */
export async function listen(server: Server, comet: Comet) {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
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

function buildExpress(create: typeof express): Build {
  return (comet, identify, { crossSite = false, before = [] }, failed) => {
    const app = create()
    for (const middleware of before) app.use(middleware as express.RequestHandler)
    app.use('/comet', cometExpress(comet, { identify, crossSite }))
    app.use((_req, res) => {
      res.status(HOST_STATUS).send('the host')
    })
    app.use((error: unknown, _req: express.Request, res: express.Response, _next: express.NextFunction) => {
      failed(error)
      res.status((error as { status?: number }).status ?? 500).send('the host failed')
    })
    return app
  }
}

function buildKoa(Class: typeof Koa): Build {
  return (comet, identify, { crossSite = false, before = [] }, failed) => {
    const app = new Class()
    app.on('error', failed)
    for (const middleware of before) app.use(middleware as Koa.Middleware)
    app.use(cometKoa(comet, { path: '/comet', crossSite, identify: (ctx: Koa.Context) => identify(ctx.req) }))
    app.use((ctx) => {
      ctx.status = HOST_STATUS
      ctx.body = 'the host'
    })
    return app.callback()
  }
}

function buildNode(
  comet: Comet,
  identify: Identify,
  { crossSite = false, before = [] }: HostOptions,
): unknown {
  const handler = cometHandler(comet, { path: '/comet', identify, crossSite })
  type Middleware = (req: Request, res: unknown, next: () => void) => void
  return before.reduceRight<(req: Request, res: never) => void>(
    (next, middleware) => (req, res) => (middleware as Middleware)(req, res, () => next(req, res)),
    (req, res) => handler(req, res),
  )
}

/** A host for the time of `use`. */
export async function withHost<T>(
  adapter: Adapter,
  options: HostOptions,
  use: (host: Host) => Promise<T>,
): Promise<T> {
  const host = await adapter.host(options)
  try {
    return await use(host)
  } finally {
    await host.close()
  }
}

/** Settles when a server has let go of every connection. */
export async function untilNoSockets(host: { readonly sockets: ReadonlySet<Socket> }): Promise<void> {
  await until(
    () => host.sockets.size === 0,
    () => `without connections, but with ${host.sockets.size}`,
  )
}
