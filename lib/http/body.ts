import { constants, type Http2ServerRequest } from 'node:http2'
import { types } from 'node:util'
import { CometError } from '../errors.ts'
import { connectionOf, type Request } from './messages.ts'

/**
 * The time that a body may take, in milliseconds, and after a refusal the time that the rest of it may take. Node.js has
 * no such limit over HTTP/2, and over HTTP/1 the app can switch it off (`server.requestTimeout`).
 */
const BODY_TIMEOUT_MS = 30_000

/**
 * Reads the JSON value in a request's body, or takes it from a body parser that has read the body before.
 *
 * @param parsed what a body parser of the app left: an object, a string or a Buffer
 * @throws CometError UNSUPPORTED_MEDIA_TYPE, PACKET_TOO_LARGE, BODY_TIMEOUT, INVALID_BODY, INVALID_JSON
 */
export async function readJson(req: Request, parsed: unknown, maxBytes: number): Promise<unknown> {
  // A page of another site can send a form, but this type only after a CORS preflight.
  if (!/^application\/json\s*(;|$)/i.test(req.headers['content-type'] ?? '')) {
    throw new CometError('UNSUPPORTED_MEDIA_TYPE')
  }
  if (Number(req.headers['content-length']) > maxBytes) throw tooLarge(maxBytes)
  if (!req.readableDidRead) return parseJson(await readText(req, maxBytes))
  if (typeof parsed === 'string') return parseJson(bounded(Buffer.from(parsed), maxBytes))
  // Not `instanceof`: in Jest, a Buffer of Node.js is of another realm.
  if (types.isUint8Array(parsed)) return parseJson(bounded(parsed, maxBytes))
  if (parsed === undefined || parsed === null) {
    throw new CometError(
      'INVALID_BODY',
      'Something read the request body and left nothing in req.body. Mount Comet before it, or let it set req.body.',
    )
  }
  bounded(Buffer.from(stringify(parsed)), maxBytes)
  return parsed
}

/** Writes a parsed body as JSON. JSON.stringify runs out of stack for a depth that JSON.parse accepts. */
function stringify(parsed: unknown): string {
  try {
    return JSON.stringify(parsed)
  } catch (cause) {
    throw new CometError('INVALID_BODY', `The request body is no packet: ${(cause as Error).message}`, {
      cause,
    })
  }
}

function readText(req: Request, maxBytes: number): Promise<string> {
  // An empty body counts as not read after a parser has read it, but does not end a second time.
  if (req.readableEnded || req.destroyed) return Promise.resolve('')
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const timer = setTimeout(() => settle(new CometError('BODY_TIMEOUT')), BODY_TIMEOUT_MS)
    timer.unref()
    const settle = (error?: CometError) => {
      clearTimeout(timer)
      req.off('data', onData).off('end', onEnd).off('error', onCut).off('close', onCut)
      // Reads and drops the rest: a client that still sends would not read the answer.
      req.resume()
      if (error === undefined) return resolve(Buffer.concat(chunks).toString())
      if (!req.destroyed) cutUnlessEnded(req)
      reject(error)
    }
    const onData = (data: Buffer | string) => {
      // The stream gives strings when a middleware has set an encoding.
      const chunk = typeof data === 'string' ? Buffer.from(data) : data
      size += chunk.length
      if (size > maxBytes) settle(tooLarge(maxBytes))
      else chunks.push(chunk)
    }
    const onEnd = () => settle()
    const onCut = () => settle(new CometError('INVALID_BODY', 'The request body ended too early.'))
    req.on('data', onData).on('end', onEnd).on('error', onCut).on('close', onCut)
  })
}

/** Cuts a request whose body was refused and still does not end. */
function cutUnlessEnded(req: Request): void {
  const timer = setTimeout(() => {
    if (connectionOf(req) !== undefined) req.destroy()
    else (req as Http2ServerRequest).stream.close(constants.NGHTTP2_CANCEL)
  }, BODY_TIMEOUT_MS)
  timer.unref()
  const stop = () => clearTimeout(timer)
  req.once('end', stop).once('close', stop)
}

function bounded(body: Uint8Array, maxBytes: number): string {
  if (body.length > maxBytes) throw tooLarge(maxBytes)
  return Buffer.from(body).toString()
}

function parseJson(text: string): unknown {
  try {
    // Some clients begin with a byte order mark.
    return JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch (cause) {
    throw new CometError('INVALID_JSON', `The packet is not JSON: ${(cause as Error).message}`, { cause })
  }
}

function tooLarge(maxBytes: number): CometError {
  return new CometError(
    'PACKET_TOO_LARGE',
    `A packet must have at most ${maxBytes} bytes (option maxPacketBytes).`,
  )
}
