import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { ServerResponse } from 'node:http'
import https from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import compression from 'compression'
import type { NextFunction, Request, Response } from 'express'
import { cometHandler } from '../../adapters/node.ts'
import { Comet } from '../../lib/index.ts'
import { connect } from '../support/clients.ts'
import { eventParser } from '../support/event-parser.ts'
import { type Adapter, adapters, type Host, identifyByHeader, listen } from '../support/http.ts'
import { Inbox, until } from '../support/inbox.ts'
import { forcedCompression, usualMiddlewares } from '../support/middlewares.ts'
import { requireProgram } from '../support/requirements.ts'
import { head, openSocket } from '../support/socket-client.ts'
import '../support/process-guard.ts'

/** Of every kind: what must be escaped, split or framed, what is large, and a burst. */
const EVENTS = ['one', 'smörgåsbord 🙂', 'two\nlines\n', '', 'x'.repeat(100_000), ...Array(20).fill('burst')]

/** Counts the writes that go through the response of HTTP/1. The prototype's method stays the prototype's. */
function countWrites(): { readonly count: number; restore(): void } {
  const { write } = ServerResponse.prototype
  let count = 0
  function counted(this: ServerResponse, ...args: Parameters<typeof write>) {
    count += 1
    return write.apply(this, args)
  }
  ServerResponse.prototype.write = counted as typeof write
  return {
    get count() {
      return count
    },
    restore: () => {
      ServerResponse.prototype.write = write
    },
  }
}

const adapterOf = (name: string) => adapters.find((each) => each.name === name) as Adapter

interface Client {
  next(event: string): Promise<{ readonly data: string }>
  destroy(): void
}

async function overSocket(host: Host, ...requests: string[]): Promise<Client> {
  const { send, response, destroy } = await openSocket(host)
  send(requests.join(''))
  let stream = await response()
  for (let index = 1; index < requests.length; index += 1) stream = await response()
  return { next: (event) => stream.next(event), destroy }
}

/** A host behind TLS, with a certificate of its own. */
async function overTls(): Promise<{ host: Pick<Host, 'comet' | 'close'>; client: () => Promise<Client> }> {
  const folder = mkdtempSync(join(tmpdir(), 'comet-tls-'))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const subject = ['-subj', '/CN=127.0.0.1', '-days', '1', '-nodes']
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-keyout', key, '-out', cert, ...subject], {
    stdio: 'ignore',
  })
  const comet = new Comet()
  const options = { key: readFileSync(key), cert: readFileSync(cert) }
  const handler = cometHandler(comet, { path: '/comet', identify: identifyByHeader })
  const server = await listen(https.createServer(options, handler), comet)
  rmSync(folder, { recursive: true })
  const client = async () => {
    const inbox = new Inbox<{ event: string; data: string }>()
    const url = `https://127.0.0.1:${server.port}/comet?u=alice`
    const req = https.get(url, { rejectUnauthorized: false, agent: false }, (res) => {
      res.setEncoding('utf8').on(
        'data',
        eventParser((block) => inbox.push(block)),
      )
    })
    req.on('error', () => {})
    const next = (name: string) => inbox.next(({ event }) => event === name, name)
    await next('comet.ready')
    return { next, destroy: () => req.destroy() }
  }
  return { host: { comet, close: server.close }, client }
}

/** A middleware that sees all that is written, as a logger of bodies would. */
function watching(seen: string[]) {
  return (_req: Request, res: Response, next: NextFunction) => {
    const write = res.write.bind(res)
    res.write = (chunk: Buffer) => {
      seen.push(chunk.toString())
      return write(chunk)
    }
    next()
  }
}

const gzip = { 'accept-encoding': 'gzip' }
const stream = head('GET /comet?u=alice HTTP/1.1', 'Host: x')

type Open = () => Promise<[Pick<Host, 'comet' | 'close'>, Client]>

/** Behind middlewares, for a client that would take a compressed stream. */
function behind(middlewaresOf: (adapter: Adapter) => readonly unknown[]): Open {
  return async () => {
    const adapter = adapterOf('Express 5')
    const host = await adapter.host({ before: middlewaresOf(adapter) })
    return [host, await connect(host, 'alice', { headers: gzip })]
  }
}

const ways: [name: string, isDirect: boolean, open: Open][] = [
  ...['Express 5', 'Express 4', 'Koa 3', 'Koa 2', 'node:http'].map((name): (typeof ways)[number] => [
    `of ${name}`,
    true,
    async () => {
      const host = await adapterOf(name).host()
      return [host, await connect(host, 'alice')]
    },
  ]),
  ['behind compression, helmet and cors', true, behind(usualMiddlewares)],
  [
    'over TLS',
    true,
    async () => {
      const { host, client } = await overTls()
      return [host, await client()]
    },
  ],
  ['behind a compression that compresses it all the same', false, behind(forcedCompression)],
  [
    'over HTTP/1.0',
    false,
    async () => {
      const host = await adapterOf('Express 5').host()
      return [host, await overSocket(host, head('GET /comet?u=alice HTTP/1.0'))]
    },
  ],
  [
    'that was asked for behind another on its connection',
    false,
    async () => {
      const late = (req: Request, res: Response, next: NextFunction) => {
        if (req.url === '/late') setTimeout(() => res.send('late'), 50)
        else next()
      }
      const host = await adapterOf('Express 5').host({ before: [late] })
      return [host, await overSocket(host, head('GET /late HTTP/1.1', 'Host: x'), stream)]
    },
  ],
]

describe('A stream', () => {
  let writes: ReturnType<typeof countWrites>
  beforeEach(() => {
    writes = countWrites()
  })
  let host: Pick<Host, 'comet' | 'close'> | undefined
  afterEach(async () => {
    writes.restore()
    await host?.close()
  })

  async function deliver(comet: Comet, client: Client): Promise<void> {
    for (const evt of EVENTS) comet.publish({ uid: 'alice', evt })
    for (const evt of EVENTS) assert.equal((await client.next('message')).data, evt)
  }

  for (const [name, isDirect, open] of ways) {
    it(`${name} delivers all events, by way of the ${isDirect ? 'socket' : 'response'}`, async function () {
      if (name === 'over TLS') requireProgram(this, 'openssl', 'apt-get install openssl')
      const [at, client] = await open()
      host = at
      const before = writes.count
      await deliver(at.comet, client)
      assert.equal(writes.count > before, !isDirect)
      client.destroy()
      await until(() => at.comet.stats().sessions === 0, 'no sessions')
    })
  }

  for (const name of ['node:http2', 'Koa 3 over HTTP/2']) {
    it(`of ${name} delivers all events`, async () => {
      const at = await adapterOf(name).host()
      host = at
      const client = await connect(at, 'alice')
      await deliver(at.comet, client)
      assert.equal(writes.count, 0)
      client.destroy()
    })
  }

  it('behind a middleware that has replaced write goes by way of that one', async () => {
    const seen: string[] = []
    const at = await adapterOf('Express 5').host({ before: [watching(seen)] })
    host = at
    const client = await connect(at, 'alice')
    await deliver(at.comet, client)
    assert.ok(seen.join('').includes('smörgåsbord 🙂'))
    client.destroy()
  })

  it('behind a compression that has nothing to do is not written by it', async () => {
    let flushed = 0
    const spy = (_req: Request, res: Response & { flush?: () => void }, next: NextFunction) => {
      const { flush } = res
      res.flush = () => {
        flushed += 1
        flush?.call(res)
      }
      next()
    }
    const before = [(req: Request, res: Response, next: NextFunction) => compression()(req, res, next), spy]
    const at = await adapterOf('Express 5').host({ before })
    host = at
    const client = await connect(at, 'alice', { headers: gzip })
    await deliver(at.comet, client)
    assert.equal(flushed, 0)
    client.destroy()
  })

  const ends: [name: string, end: (res: Response, comet: Comet) => void][] = [
    [
      'before something is published',
      (res, comet) => {
        res.end()
        comet.publish({ uid: 'alice', evt: 'too late' })
      },
    ],
    [
      'after something was published',
      (res, comet) => {
        comet.publish({ uid: 'alice', evt: 'too late' })
        res.end()
      },
    ],
    [
      'before Comet would end it',
      (res, comet) => {
        comet.publish({ uid: 'alice', evt: 'too late' })
        res.end()
        comet.disconnect({ uid: 'alice' }, { reason: 'too late' })
      },
    ],
    [
      'with more than can be sent at once',
      (res, comet) => {
        res.end(`:${'x'.repeat(8_000_000)}\n`)
        comet.publish({ uid: 'alice', evt: 'too late' })
        setImmediate(() => comet.publish({ uid: 'alice', evt: 'too late' }))
      },
    ],
  ]

  for (const name of ['Express 5', 'Koa 3', 'node:http']) {
    for (const [when, end] of ends) {
      it(`of ${name} that the host ends ${when} is not written to any more`, async () => {
        const responses: ServerResponse[] = []
        const at = await adapterOf(name).host()
        host = at
        at.server.on('request', (_req: unknown, res: ServerResponse) => responses.push(res))
        const { bytes, send, response, destroy } = await openSocket(at)
        send(stream)
        await (await response()).next('comet.ready')
        end(responses[0] as Response, at.comet)
        await until(() => at.comet.stats().sessions === 0, 'no sessions')
        // The connection is as it should be for the next request.
        send(head('GET /elsewhere HTTP/1.1', 'Host: x'))
        assert.equal((await response()).status, adapterOf(name).passed)
        assert.ok(!bytes().includes('too late'))
        destroy()
      })
    }
  }
})
