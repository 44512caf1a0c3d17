import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import https from 'node:https'
import { cometHandler } from '../../adapters/node.ts'
import { Comet } from '../../lib/index.ts'
import { identifyByHeader, listen, nodeHttp, startApp, type TestApp, untilSessions } from '../support/apps.ts'
import { makeCertificate } from '../support/certificate.ts'
import { connect, head, openSocket } from '../support/clients.ts'
import { countWrites, deliver } from '../support/deliveries.ts'
import { eventParser } from '../support/event-parser.ts'
import { Gate, Inbox, within } from '../support/inbox.ts'
import '../support/process-guard.ts'

type ServedComet = Pick<TestApp, 'comet' | 'close'>

const stream = head('GET /comet?u=alice HTTP/1.1', 'Host: x')

/** An app behind TLS, with a certificate of its own. */
async function startTlsApp(test: Mocha.Context) {
  const certificate = makeCertificate(test)
  const comet = new Comet()
  const handler = cometHandler(comet, { path: '/comet', identify: identifyByHeader })
  return { comet, ...(await listen(https.createServer(certificate, handler), comet)) }
}

/** Opens a stream over TLS. */
async function connectOverTls({ port }: { readonly port: number }) {
  const inbox = new Inbox<{ event: string; data: string }>()
  const url = `https://127.0.0.1:${port}/comet?u=alice`
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

describe('Events of a stream', () => {
  let served: ServedComet | undefined
  afterEach(() => served?.close())

  it('go to the socket, past the response', async () => {
    const app = await startApp(nodeHttp)
    served = app
    const writes = await countWrites(async () => deliver(app.comet, await connect(app, 'alice')))
    assert.equal(writes, 0)
  })

  it('go to the socket, past the response, over TLS', async function () {
    const app = await startTlsApp(this)
    served = app
    const writes = await countWrites(async () => {
      const client = await connectOverTls(app)
      await deliver(app.comet, client)
      client.destroy()
    })
    assert.equal(writes, 0)
    await untilSessions(app, 0)
  })

  it('go through the response over HTTP/1.0', async () => {
    const app = await startApp(nodeHttp)
    served = app
    const writes = await countWrites(async () => {
      const { send, response } = await openSocket(app)
      send(head('GET /comet?u=alice HTTP/1.0'))
      await deliver(app.comet, await response())
    })
    assert.ok(writes > 0)
  })

  it('go to the socket, past the response, when it stood behind another one on its connection', async () => {
    const gate = new Gate()
    const late = async (req: IncomingMessage, res: ServerResponse, next: () => void) => {
      if (req.url !== '/late') return next()
      await gate.pass()
      res.end('late')
    }
    const app = await startApp(nodeHttp, { before: [late] })
    served = app
    const writes = await countWrites(async () => {
      const { send, response } = await openSocket(app)
      send(head('GET /late HTTP/1.1', 'Host: x') + stream)
      await gate.arrival()
      assert.equal(app.comet.stats().sessions, 0)
      gate.open()
      assert.equal((await response()).status, 200)
      await deliver(app.comet, await response())
    })
    assert.equal(writes, 0)
  })
})

describe('A response that the app ends', () => {
  const ends: [name: string, end: (res: ServerResponse, comet: Comet) => void][] = [
    [
      'before an event is published',
      (res, comet) => {
        res.end()
        comet.publish({ uid: 'alice', evt: 'too late' })
      },
    ],
    [
      'in a tick, before an event is published',
      (res, comet) =>
        process.nextTick(() => {
          res.end()
          comet.publish({ uid: 'alice', evt: 'too late' })
        }),
    ],
    [
      'between an event and the promise of its publication',
      (res, comet) => {
        setImmediate(async () => {
          const published = comet.publish({ uid: 'alice', evt: 'too late' })
          res.end()
          await published
          comet.publish({ uid: 'alice', evt: 'too late' })
        })
      },
    ],
    [
      'after an event was published',
      (res, comet) => {
        comet.publish({ uid: 'alice', evt: 'too late' })
        res.end()
      },
    ],
    [
      'before Comet ends it',
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
        assert.ok(res.writableLength > 0)
        comet.publish({ uid: 'alice', evt: 'too late' })
        setImmediate(() => comet.publish({ uid: 'alice', evt: 'too late' }))
      },
    ],
  ]

  it('is not written to by a listener that hears of the end before Comet does', async () => {
    const app = await startApp(nodeHttp)
    try {
      let response: ServerResponse | undefined
      app.server.prependListener('request', (_req: unknown, res: ServerResponse) => {
        response = res
        res.on('prefinish', () => void app.comet.disconnect({ uid: 'alice' }, { reason: 'too late' }))
      })
      const { bytes, send, response: answer, closed } = await openSocket(app)
      send(stream)
      await (await answer()).next('comet.ready')
      response?.end()
      await within(closed, 'the end of the connection')
      assert.ok(bytes().endsWith('0\r\n\r\n'))
    } finally {
      await app.close()
    }
  })

  for (const [when, end] of ends) {
    it(`${when} is not written to any more`, async () => {
      const responses: ServerResponse[] = []
      const app = await startApp(nodeHttp)
      try {
        app.server.on('request', (_req: unknown, res: ServerResponse) => responses.push(res))
        const { bytes, send, response, closed } = await openSocket(app)
        send(stream)
        await (await response()).next('comet.ready')
        end(responses[0] as ServerResponse, app.comet)
        await untilSessions(app, 0)
        // The connection ends with the stream, as its head has said.
        await within(closed, 'the end of the connection')
        assert.ok(bytes().endsWith('0\r\n\r\n'))
        assert.ok(!bytes().includes('too late'))
      } finally {
        await app.close()
      }
    })
  }
})
