import { bodyParser } from '@koa/bodyparser'
import express from 'express'
import type { Adapter, Request } from './apps.ts'

/** Something in an app that reads request bodies before Comet. */
export interface Parser {
  readonly name: string
  /** The middlewares that it consists of. */
  readonly before: readonly unknown[]
  /** What it leaves of a body. Nothing: the body is still to be read. */
  readonly leaves: 'nothing' | 'an object' | 'a string' | 'a Buffer'
}

type Kind = Adapter['kind']

const NONE: Parser = { name: 'no body parser', before: [], leaves: 'nothing' }

const PARSERS: Record<Kind, readonly Parser[]> = {
  express: [
    NONE,
    { name: 'express.json', before: [express.json()], leaves: 'an object' },
    { name: 'express.text', before: [express.text({ type: '*/*' })], leaves: 'a string' },
    { name: 'express.raw', before: [express.raw({ type: '*/*' })], leaves: 'a Buffer' },
    encodingSetter('express'),
  ],
  koa: [
    NONE,
    { name: '@koa/bodyparser', before: [bodyParser()], leaves: 'an object' },
    {
      name: '@koa/bodyparser as text',
      before: [bodyParser({ enableTypes: ['text'], extendTypes: { text: ['application/json'] } })],
      leaves: 'a string',
    },
    reader('koa', 'a Buffer', (body) => body),
    encodingSetter('koa'),
  ],
  node: [
    NONE,
    reader('node', 'an object', (body) => JSON.parse(body.toString())),
    reader('node', 'a string', (body) => body.toString()),
    reader('node', 'a Buffer', (body) => body),
    encodingSetter('node'),
  ],
}

/** The kinds of body parsers that apps of an adapter have. The first one is none. */
export function parsersOf({ kind }: Pick<Adapter, 'kind'>): readonly Parser[] {
  return PARSERS[kind]
}

/** A middleware that reads a body and keeps nothing of it. */
export function drainOf({ kind }: Pick<Adapter, 'kind'>): unknown {
  return middlewareOf(kind, async (req) => {
    await read(req)
  })
}

/** A middleware that does not read, but makes the request give strings. */
function encodingSetter(kind: Kind): Parser {
  const before = [middlewareOf(kind, async (req) => void req.setEncoding('utf8'))]
  return { name: 'a middleware that sets an encoding', before, leaves: 'nothing' }
}

function reader(kind: Kind, leaves: Parser['leaves'], parse: (body: Buffer) => unknown): Parser {
  const before = middlewareOf(kind, async (req, holder) => {
    const body = await read(req)
    // A client that went: the request is answered by nobody.
    if (body === undefined) return new Promise(() => {})
    try {
      holder.body = parse(body)
    } catch {
      holder.body = body.toString()
    }
  })
  return { name: `a parser that leaves ${leaves}`, before: [before], leaves }
}

/** @param act what it does; `holder` is where apps of that kind find the body */
function middlewareOf(kind: Kind, act: (req: Request, holder: { body?: unknown }) => Promise<void>): unknown {
  type Next = () => unknown
  if (kind === 'koa') {
    return async ({ req, request }: { req: Request; request: object }, next: Next) => {
      await act(req, request)
      await next()
    }
  }
  return async (req: Request, _res: unknown, next: Next) => {
    await act(req, req as object)
    next()
  }
}

/** @returns undefined when the client went before the end */
async function read(req: Request): Promise<Buffer | undefined> {
  if (req.method !== 'POST') return Buffer.alloc(0)
  const pieces: Buffer[] = []
  try {
    for await (const piece of req) pieces.push(piece)
  } catch {
    return undefined
  }
  return Buffer.concat(pieces)
}
