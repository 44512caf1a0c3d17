import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { CometError } from '../../../lib/index.ts'
import { type TestApp, takeFailures, untilSessions } from '../../support/apps.ts'
import {
  connect,
  head,
  openSocket,
  postPacket,
  request,
  type Send,
  startStream,
} from '../../support/clients.ts'
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

  describe('A head that cannot be sent', () => {
    it('of a stream whose response the app has begun meanwhile: the response is left alone, and no session stays', async () => {
      for (const stage of ['identify', 'canEnter']) {
        const begin = (at: string) => {
          if (at === stage) response().writeHead(200, { 'content-type': 'text/plain' }).write('mine')
        }
        const app = await start({
          identify: () => {
            begin('identify')
            return 'alice'
          },
          comet: {
            offlineGrace: 0,
            canEnter: () => {
              begin('canEnter')
              return true
            },
          },
        })
        const response = responseOf(app)
        const { opened } = startStream(app, { path: '?rid=lobby' })
        const stream = await opened
        await untilSessions(app, 0)
        await until(async () => !(await app.comet.isOnline('alice')), 'offline')
        await app.comet.publish({ uid: 'alice', evt: 'too late' })
        response().end()
        assert.equal(await stream.ended, true)
        assert.equal(stream.text(), 'mine')
      }
    })

    it('because a middleware throws: its error takes the path of errors, and no session stays', async () => {
      const app = await start({ comet: { offlineGrace: 0, maxSessions: 1, canEnter: () => true } })
      const failure = new Error('a hook on the head failed')
      let fails = true
      app.server.prependListener('request', (_: unknown, res: ServerResponse) => {
        const { writeHead } = res
        res.writeHead = ((...args: Parameters<typeof writeHead>) => {
          if (!fails || args[0] !== 200) return writeHead.apply(res, args)
          fails = false
          throw failure
        }) as typeof writeHead
      })
      for (const path of ['?rid=lobby', '']) {
        fails = true
        const answer = await request(app, { path, headers: { 'x-user': 'alice' } })
        assert.equal(answer.status, 500)
        assert.notEqual(answer.headers['content-type'], 'text/event-stream')
        assert.deepEqual(takeFailures(app), [failure])
        await untilSessions(app, 0)
        await until(async () => !(await app.comet.isOnline('alice')), 'offline')
      }
      const stays = await connect(app, 'alice')
      // The temporary answer has a head, too.
      fails = true
      assert.equal((await request(app, { headers: { 'x-user': 'bob' } })).status, 500)
      assert.deepEqual(takeFailures(app), [failure])
      assert.equal(app.comet.stats().sessions, 1)
      stays.destroy()
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
