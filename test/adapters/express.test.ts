import assert from 'node:assert/strict'
import http from 'node:http'
import { createRequire } from 'node:module'
import express from 'express'
import { cometExpress } from '../../adapters/express.ts'
import { Comet, CometError, type CometOptions } from '../../lib/index.ts'
import { connect, postPacket, request, startStream } from '../support/clients.ts'
import { listen } from '../support/http.ts'
import { Gate } from '../support/inbox.ts'
import '../support/process-guard.ts'

const express4 = createRequire(import.meta.url)('express4') as typeof express

const alice = { headers: { 'x-user': 'alice' } }

for (const [name, create] of [
  ['Express 5', express],
  ['Express 4', express4],
] as const) {
  describe(`cometExpress in ${name}`, () => {
    const closers: (() => Promise<void>)[] = []

    const serve = async (build: (app: express.Express, comet: Comet) => void, options?: CometOptions) => {
      const comet = new Comet(options)
      const app = create()
      app.set('env', 'test')
      build(app, comet)
      const host = await listen(http.createServer(app), comet)
      closers.push(host.close)
      return { ...host, comet }
    }
    afterEach(async () => {
      for (const close of closers.splice(0)) await close()
    })

    it("gives identify the host's request, with what earlier middlewares put there", async () => {
      const host = await serve((app, comet) => {
        app.use((req, _res, next) => {
          Object.assign(req, { user: { id: 7 } })
          next()
        })
        const identify = (req: express.Request & { user?: { id: number } }) => {
          assert.equal(req.get('x-user'), 'alice')
          assert.equal(req.query.color, 'blue')
          return req.user?.id
        }
        app.use('/comet', cometExpress(comet, { identify }))
      })
      const { ready } = await connect(host, 'alice', { path: '?color=blue' })
      assert.equal(ready.uid, '7')
    })

    it('works on a router with parameters, however deep', async () => {
      const host = await serve((app, comet) => {
        const router = create.Router({ mergeParams: true })
        router.use(
          '/push',
          cometExpress(comet, { identify: (req: express.Request) => req.params.team as string }),
        )
        app.use('/teams/:team', router)
      })
      const target = { url: `${host.origin}/teams/red/push` }
      const { ready, sid } = await connect(target, '')
      assert.equal(ready.uid, 'red')
      assert.equal((await postPacket(target, '', sid, { type: 'HB' })).status, 204)
    })

    it('works at the root, and leaves the routes behind it alone', async () => {
      const host = await serve((app, comet) => {
        app.use(cometExpress(comet, { identify: () => 'alice' }))
        app.get('/hello', (_req, res) => {
          res.send('hello')
        })
      })
      const target = { url: host.origin }
      assert.equal((await connect(target, '', { path: '/' })).ready.uid, 'alice')
      assert.equal((await request(target, { path: '/hello' })).text, 'hello')
    })

    it('serves two Comets in one app', async () => {
      const other = new Comet()
      closers.push(() => other.close())
      const host = await serve((app, comet) => {
        app.use('/one', cometExpress(comet, { identify: () => 'alice' }))
        app.use('/other', cometExpress(other, { identify: () => 'alice' }))
      })
      const one = await connect({ url: `${host.origin}/one` }, '')
      const two = await connect({ url: `${host.origin}/other` }, '')
      await other.publish({ evt: 'from the other' })
      await host.comet.publish({ evt: 'from the one' })
      assert.equal((await one.next('message')).data, 'from the one')
      assert.equal((await two.next('message')).data, 'from the other')
      await other.close()
    })

    for (const thrown of [undefined, null, '', 'route', 'router']) {
      it(`does not let a request pass whose identify throws ${JSON.stringify(thrown)}`, async () => {
        const host = await serve((app, comet) => {
          app.use('/comet', cometExpress(comet, { identify: () => Promise.reject(thrown) }))
          app.use((_req: express.Request, res: express.Response) => void res.send('passed'))
        })
        const { status, text } = await request(host, alice)
        assert.equal(status, 500)
        assert.ok(!text.includes('passed'))
      })
    }

    it('lets identify answer the request itself', async () => {
      const host = await serve((app, comet) => {
        const identify = (req: express.Request) => {
          req.res?.redirect('/login')
          return 'alice'
        }
        app.use('/comet', cometExpress(comet, { identify }))
      })
      const { status, headers } = await request(host, alice)
      assert.deepEqual([status, headers.location], [302, '/login'])
      assert.equal(host.comet.stats().connections, 0)
    })

    for (const [stage, method, answer] of [
      ['identify', 'GET', 'alice'],
      ['identify', 'GET', undefined],
      ['canEnter', 'GET', true],
      ['canEnter', 'GET', false],
      ['identify', 'POST', 'alice'],
      ['identify', 'POST', undefined],
      ['onMessage', 'POST', { echo: 'hi' }],
      ['onMessage', 'POST', new CometError('FORBIDDEN')],
    ] as const) {
      const which = `a ${method} request`
      it(`leaves ${which} alone that the host has answered before ${stage} answers ${answer}`, async () => {
        const gate = new Gate()
        let isSlow = false
        const slow = async <T>(at: string, otherwise: T) => {
          if (!isSlow || at !== stage) return otherwise
          await gate.pass()
          if (answer instanceof Error) throw answer
          return answer as T
        }
        const failures: unknown[] = []
        let giveUp = () => {}
        const host = await serve(
          (app, comet) => {
            app.use((_req, res, next) => {
              giveUp = () => res.status(503).send('too slow')
              next()
            })
            app.use('/comet', cometExpress(comet, { identify: () => slow('identify', 'alice') }))
            app.use((error: unknown, _req: unknown, _res: unknown, _next: unknown) => {
              failures.push(error)
            })
          },
          { canEnter: () => slow('canEnter', true), onMessage: () => slow('onMessage', undefined) },
        )
        const { sid, destroy } = await connect(host, '')
        isSlow = true
        const packet = { type: 'SEND', send: { evt: 'hi' } }
        const client = startStream(host, {
          method,
          path: method === 'GET' ? '?rid=lobby' : `/${sid}`,
          ...(method === 'GET'
            ? {}
            : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(packet) }),
        })
        await gate.arrival()
        giveUp()
        const stream = await client.opened
        await stream.ended
        gate.open()
        isSlow = false
        assert.equal((await postPacket(host, '', sid, packet)).status, 204)
        destroy()
        assert.deepEqual([stream.status, stream.text(), failures], [503, 'too slow', []])
        assert.equal(host.comet.stats().connections, 1)
      })
    }

    it("answers with an error's status where a route of the host lets one through", async () => {
      const host = await serve((app, comet) => {
        app.post('/publish', (_req, res, next) => {
          comet.publish({ uid: undefined as unknown as string, evt: 'hi' }).then(() => res.end(), next)
        })
      })
      host.comet.on('error', () => {})
      const answer = await request({ url: host.origin }, { method: 'POST', path: '/publish' })
      assert.equal(answer.status, new CometError('INVALID_TARGET').status)
    })

    for (const options of [undefined, {}, { identify: 'alice' }]) {
      it(`refuses ${JSON.stringify(options)} as options`, () => {
        const wrong = options as unknown as { identify: () => string }
        assert.throws(() => cometExpress(new Comet(), wrong), { code: 'INVALID_OPTION', message: /identify/ })
      })
    }
  })
}
