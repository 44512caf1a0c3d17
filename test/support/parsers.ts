import { bodyParser } from '@koa/bodyparser'
import express from 'express'
import type { Adapter, Request } from './http.ts'

/** What of a host may have read the body before Comet gets to see the request. */
export interface Parser {
  readonly name: string
  readonly before: readonly unknown[]
}

const NONE: Parser = { name: 'no body parser', before: [] }

/** What was read is not touched, but comes as strings. */
const ENCODING: Parser = {
  name: 'a middleware that sets an encoding',
  before: [
    (req: Request, _res: unknown, next: () => void) => {
      req.setEncoding('utf8')
      next()
    },
  ],
}

const PARSERS: Record<Adapter['kind'], readonly Parser[]> = {
  express: [
    NONE,
    { name: 'express.json', before: [express.json()] },
    { name: 'express.text', before: [express.text({ type: '*/*' })] },
    { name: 'express.raw', before: [express.raw({ type: '*/*' })] },
    ENCODING,
  ],
  koa: [
    NONE,
    { name: '@koa/bodyparser', before: [bodyParser()] },
    {
      name: '@koa/bodyparser as text',
      before: [bodyParser({ enableTypes: ['text'], extendTypes: { text: ['application/json'] } })],
    },
  ],
  node: [NONE, { name: 'a parser that leaves a string', before: [readAll] }],
}

export function parsersOf({ kind }: Adapter): readonly Parser[] {
  return PARSERS[kind]
}

async function readAll(req: Request & { body?: string }, _res: unknown, next: () => void): Promise<void> {
  let body = ''
  req.setEncoding('utf8')
  try {
    for await (const piece of req) body += piece
  } catch {
    return
  }
  req.body = body
  next()
}

/** A middleware that reads a body and keeps nothing of it. */
export function drainOf({ kind }: Adapter): unknown {
  type Next = () => unknown
  if (kind === 'koa') {
    return async ({ req }: { req: Request }, next: Next) => {
      await drain(req)
      await next()
    }
  }
  return async (req: Request, _res: unknown, next: Next) => {
    await drain(req)
    next()
  }
}

async function drain(req: Request): Promise<void> {
  if (req.method !== 'POST') return
  for await (const _ of req);
}
