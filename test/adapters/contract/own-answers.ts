import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { CometError } from '../../../lib/index.ts'
import { type TestApp, untilSessions } from '../../support/apps.ts'
import { connect, head, openSocket, postPacket, type Send, startStream } from '../../support/clients.ts'
import { Gate, until, within } from '../../support/inbox.ts'
import type { Contract } from './part.ts'

/** What an app answers to Comet after it has answered the client by itself. */
const LATE_ANSWERS = [
  ['GET', 'identify', 'alice'],
  ['GET', 'identify', undefined],
  ['GET', 'canEnter', true],
  ['GET', 'canEnter', false],
  ['POST', 'identify', 'alice'],
  ['POST', 'identify', undefined],
  ['POST', 'onMessage', { echo: 'hi' }],
  ['POST', 'onMessage', new CometError('FORBIDDEN')],
] as const

const packet = { type: 'SEND', send: { evt: 'hi' } }

/** Responses that the app answers, ends or destroys by itself. */
export function ownAnswers({ adapter, start }: Contract): void {
  /** The response to the latest request, as every code of the app may have it. */
  const responseOf = (app: TestApp) => {
    let latest: ServerResponse | undefined
    app.server.prependListener('request', (_: unknown, res: ServerResponse) => {
      latest = res
    })
    return () => latest as ServerResponse
  }

  describe('A response that the app answers by itself', () => {
    it('is left alone when Comet gets its answers later: of identify, canEnter or onMessage', async () => {
      for (const [method, stage, answer] of LATE_ANSWERS) {
        let gate: Gate | undefined
        const late = async <T>(at: string, otherwise: T): Promise<T> => {
          if (gate === undefined || at !== stage) return otherwise
          await gate.pass()
          if (answer instanceof Error) throw answer
          return answer as T
        }
        const app = await start({
          identify: () => late('identify', 'alice'),
          comet: { canEnter: () => late('canEnter', true), onMessage: () => late('onMessage', undefined) },
        })
        const response = responseOf(app)
        const { sid } = await connect(app, '')
        const waiting = new Gate()
        gate = waiting
        const headers = { 'content-type': 'application/json' }
        const send: Send =
          method === 'GET'
            ? { path: '?rid=lobby' }
            : { method, path: `/${sid}`, headers, body: JSON.stringify(packet) }
        const client = startStream(app, send)
        await waiting.arrival()
        response().writeHead(503).end('too slow')
        const stream = await client.opened
        await stream.ended
        gate = undefined
        waiting.open()
        // Packets of a session take turns: this one comes after the one that was late.
        assert.equal((await postPacket(app, '', sid, packet)).status, 204)
        assert.deepEqual([stream.status, stream.text()], [503, 'too slow'], `${method} ${stage}`)
        assert.equal(app.comet.stats().connections, 1)
      }
    })
  })

  describe('A stream that the app ends by itself', () => {
    it('ends its session, and is not written to any more', async () => {
      const acts: ((res: ServerResponse, publish: () => void) => void)[] = [
        (res, publish) => {
          res.end()
          publish()
        },
        (res, publish) => {
          publish()
          res.end()
        },
        (res, publish) => {
          // More than can be sent at once.
          res.end(`:${'x'.repeat(1_000)}\n`.repeat(6_000))
          publish()
          setImmediate(publish)
        },
        (res, publish) => {
          res.destroy()
          publish()
        },
      ]
      for (const act of acts) {
        const app = await start({ comet: { offlineGrace: 0 } })
        const response = responseOf(app)
        const { text, ended } = await connect(app, 'alice')
        act(response(), () => void app.comet.publish({ uid: 'alice', evt: 'too late' }))
        await ended
        await untilSessions(app, 0)
        assert.ok(!text().includes('too late'))
        await until(async () => !(await app.comet.isOnline('alice')), 'offline')
      }
    })

    if (adapter.http2) return

    it('ends its connection, as its head has said', async () => {
      const app = await start()
      const response = responseOf(app)
      const client = await openSocket(app)
      client.send(head('GET /comet?u=alice HTTP/1.1', 'Host: x'))
      await (await client.response()).next('comet.ready')
      app.comet.publish({ uid: 'alice', evt: 'too late' })
      response().end()
      app.comet.disconnect({ uid: 'alice' }, { reason: 'too late' })
      await untilSessions(app, 0)
      await within(client.closed, 'the end of the connection')
      assert.ok(client.bytes().endsWith('0\r\n\r\n'))
      assert.ok(!client.bytes().includes('too late'))
    })
  })
}
