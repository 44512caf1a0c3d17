import http, { type IncomingHttpHeaders } from 'node:http'
import http2 from 'node:http2'
import { pipeline, type Readable } from 'node:stream'
import { constants, createGunzip } from 'node:zlib'
import { EventSource } from 'eventsource'
import { type Block, eventParser } from './event-parser.ts'
import { Inbox, within } from './inbox.ts'

export type { Block } from './event-parser.ts'
export { head, openSocket, type RawResponse, type SocketClient } from './socket-client.ts'

/** Gives what came so far, as browsers do. */
const FLUSH = { flush: constants.Z_SYNC_FLUSH }

/** What is behind a port: a TestApp, or part of one. */
interface Target {
  readonly url: string
  readonly http2?: boolean
}

export interface Send {
  readonly method?: string
  /** Below the mount: `''`, `'?rid=a'`, `'/<sid>'`. */
  readonly path?: string
  readonly headers?: Record<string, string>
  readonly body?: string | Buffer
}

/** A response that is read as it comes, over HTTP/1 (a connection of its own) or HTTP/2 (a session of its own). */
export interface Stream {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** All events so far. */
  readonly blocks: readonly Block[]
  /** The next event, or the next of that name; the data of control events is JSON. */
  next(event?: string): Promise<Block>
  /** What came of the body so far, decoded. */
  text(): string
  /** Settles when the response is over, by whichever side. True when it was ended as it should. */
  readonly ended: Promise<boolean>
  /** Drops the connection without a word. */
  destroy(): void
}

/** Sends a request; settles when the head of the response is there. */
export async function openStream(target: Target, send: Send = {}): Promise<Stream> {
  return await startStream(target, send).opened
}

/** As {@link openStream}, for a client that may leave before it is answered: `opened` rejects then. */
export function startStream(target: Target, send: Send = {}): { opened: Promise<Stream>; destroy(): void } {
  const { path = '', method = 'GET', headers = {}, body } = send
  const url = new URL(target.url + path)
  const exchange = target.http2 ? overHttp2 : overHttp1
  const { response, destroy } = exchange(url, method, { accept: 'text/event-stream', ...headers }, body)
  const opened = within(response, `${method} ${url.pathname}`).then((got) => readStream(got, destroy))
  opened.catch(() => {})
  return { opened, destroy }
}

function readStream({ status, headers, readable }: Response, destroy: () => void): Stream {
  const inbox = new Inbox<Block>()
  const isStream = headers['content-type'] === 'text/event-stream'
  const feed = isStream ? eventParser((block) => inbox.push(block)) : undefined
  let text = ''
  const isPacked = headers['content-encoding'] === 'gzip'
  const source = isPacked ? pipeline(readable, createGunzip(FLUSH), () => {}) : readable
  source.setEncoding('utf8')
  source.on('data', (piece: string) => {
    text += piece
    feed?.(piece)
  })
  const ended = new Promise<boolean>((resolve) => {
    source.on('end', () => resolve(true))
    source.on('error', () => resolve(false)).on('close', () => resolve(false))
  })
  ended.then(() => inbox.end())
  return {
    status,
    headers,
    blocks: inbox.all,
    next: (event) => inbox.next((block) => event === undefined || block.event === event, event ?? 'event'),
    text: () => text,
    ended,
    destroy,
  }
}

/** Sends a request and reads the whole answer. */
export async function request(target: Target, send: Send = {}) {
  const stream = await openStream(target, send)
  await within(stream.ended, 'the answer')
  stream.destroy()
  const { status, headers } = stream
  const text = stream.text()
  const isJson = headers['content-type']?.startsWith('application/json')
  return {
    status,
    headers,
    text,
    blocks: stream.blocks,
    json: isJson && text !== '' ? JSON.parse(text) : undefined,
  }
}

/** Sends a packet as the user who owns the session. */
export async function postPacket(target: Target, user: string, sid: string, packet: unknown) {
  const headers = { 'content-type': 'application/json', accept: '*/*', 'x-user': user }
  return await request(target, { method: 'POST', path: `/${sid}`, headers, body: JSON.stringify(packet) })
}

/** Opens a stream and waits until it was accepted. */
export async function connect(target: Target, user: string, send: Omit<Send, 'method' | 'body'> = {}) {
  const headers = { 'x-user': user, ...send.headers }
  const stream = await openStream(target, { ...send, headers })
  if (stream.status !== 200) throw new Error(`No stream: ${stream.status} ${stream.text()}`)
  const { data, ...block } = await stream.next('comet.ready')
  const ready = JSON.parse(data) as Ready
  return Object.assign(stream, { ready, sid: ready.sid, first: block })
}

/** What `comet.ready` says. */
export interface Ready {
  readonly version: number
  readonly sid: string
  readonly connection: string
  readonly uid: string
  readonly rooms: string[]
  readonly refused: string[]
  readonly recovered: boolean
  readonly heartbeat: number
}

interface Response {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly readable: Readable
}

interface Exchange {
  readonly response: Promise<Response>
  destroy(): void
}

type Headers = Record<string, string>

function overHttp1(url: URL, method: string, headers: Headers, body?: string | Buffer): Exchange {
  const req = http.request(url, { method, headers, agent: false })
  const response = new Promise<Response>((resolve, reject) => {
    req.on('error', reject)
    req.on('response', (res) => resolve({ status: res.statusCode ?? 0, headers: res.headers, readable: res }))
  })
  req.end(body)
  return { response, destroy: () => req.destroy() }
}

function overHttp2(url: URL, method: string, headers: Headers, body?: string | Buffer): Exchange {
  const session = http2.connect(url.origin)
  const stream = session.request({ ...headers, ':method': method, ':path': url.pathname + url.search })
  const response = new Promise<Response>((resolve, reject) => {
    session.on('error', reject)
    stream.on('error', reject).on('close', () => {
      session.close()
      reject(new Error('the stream was closed'))
    })
    stream.on('response', (got) => {
      resolve({ status: Number(got[':status']), headers: got as IncomingHttpHeaders, readable: stream })
    })
  })
  stream.end(body)
  return { response, destroy: () => session.destroy() }
}

/** An event that an EventSource dispatched. */
export interface Dispatched {
  readonly type: string
  readonly data: string
  readonly lastEventId: string
}

const NAMES = ['message', 'comet.ready', 'comet.heartbeat', 'comet.gap', 'comet.close']

/**
 * A client of the `eventsource` library: what browsers do, reconnecting included.
 *
 * @param options.headers sent with every request, which browsers cannot do but tests may
 */
export function openEventSource(url: string, options: { headers?: Headers; events?: string[] } = {}) {
  const { headers = {}, events = [] } = options
  const statuses: number[] = []
  const source = new EventSource(url, {
    fetch: async (input, init) => {
      const response = await fetch(input, { ...init, headers: { ...init.headers, ...headers } })
      statuses.push(response.status)
      return response
    },
  })
  const inbox = new Inbox<Dispatched>()
  for (const name of [...NAMES, ...events]) {
    source.addEventListener(name, ({ type, data, lastEventId }) => inbox.push({ type, data, lastEventId }))
  }
  const failed = new Promise<number | undefined>((resolve) => {
    source.addEventListener('error', ({ code }) => {
      if (source.readyState === source.CLOSED) resolve(code)
    })
  })
  return {
    source,
    /** The status of each response so far. */
    statuses,
    /** All events so far. */
    events: inbox.all as readonly Dispatched[],
    /** The next event, or the next of that name. */
    next: (name?: string) => inbox.next(({ type }) => name === undefined || type === name, name ?? 'event'),
    /** Settles with the status when it gives up for good. */
    failed,
    close: () => {
      source.close()
      inbox.end('the client was closed')
    },
  }
}

export type EventSourceClient = ReturnType<typeof openEventSource>
