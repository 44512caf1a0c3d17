import { createRequire } from 'node:module'
import compression from 'compression'
import cors from 'cors'
import type { Request, RequestHandler } from 'express'
import helmet from 'helmet'
import compress from 'koa-compress'
import koaHelmet from 'koa-helmet'
import type { Adapter } from './apps.ts'

// It has no types.
const koaCors = createRequire(import.meta.url)('@koa/cors') as () => unknown

/** What apps mount before everything else: compression, security headers, CORS. */
export function usualMiddlewares({ kind }: Pick<Adapter, 'kind'>): unknown[] {
  if (kind === 'koa') return [compress({ threshold: 0 }), koaHelmet(), koaCors()]
  return [compression({ threshold: 0 }), helmet(), cors()].map(forConnect)
}

/** Compression that takes every response, also one that must not be transformed. */
export function forcedCompression({ kind }: Pick<Adapter, 'kind'>): unknown[] {
  if (kind === 'koa') return [compress({ threshold: 0, filter: () => true, br: false })]
  return [allowTransform, compression({ threshold: 0, filter: () => true })].map(forConnect)
}

/** An app that replaces the Cache-Control of every response. */
const allowTransform: RequestHandler = (_req, res, next) => {
  const setHeader = res.setHeader.bind(res)
  res.setHeader = (name, value) =>
    setHeader(name, name.toLowerCase() === 'cache-control' ? 'no-cache' : value)
  next()
}

/** Connect-style middlewares do not need Express. */
function forConnect(middleware: RequestHandler): RequestHandler {
  return (req: Request, res, next) => middleware(req, res, next)
}
