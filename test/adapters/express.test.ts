import assert from 'node:assert/strict'
import http from 'node:http'
import { createRequire } from 'node:module'
import { gzipSync } from 'node:zlib'
import express from 'express'
import { cometExpress } from '../../adapters/express.ts'
import { Comet } from '../../lib/index.ts'
import { byKind, listen, withApp } from '../support/apps.ts'
import { connect, postPacket, request } from '../support/clients.ts'
import { parsersOf } from '../support/parsers.ts'
import '../support/process-guard.ts'

const express4 = createRequire(import.meta.url)('express4') as typeof express

for (const [name, create] of [
  ['Express 5', express],
  ['Express 4', express4],
] as const) {
  describe(`cometExpress in ${name}`, () => {
    const closers: (() => Promise<void>)[] = []

    const serve = async (build: (app: express.Express, comet: Comet) => void) => {
      const comet = new Comet()
      const app = create()
      app.set('env', 'test')
      build(app, comet)
      const served = await listen(http.createServer(app), comet)
      closers.push(served.close)
      return { ...served, comet }
    }
    afterEach(async () => {
      for (const close of closers.splice(0)) await close()
    })

    it("gives identify Express's request, with what earlier middlewares put there", async () => {
      const served = await serve((app, comet) => {
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
      const { ready } = await connect(served, 'alice', { path: '?color=blue' })
      assert.equal(ready.uid, '7')
    })

    it('works on a router with parameters, however deep', async () => {
      const served = await serve((app, comet) => {
        const router = create.Router({ mergeParams: true })
        router.use(
          '/push',
          cometExpress(comet, { identify: (req: express.Request) => req.params.team as string }),
        )
        app.use('/teams/:team', router)
      })
      const target = { url: `${served.origin}/teams/red/push` }
      const { ready, sid } = await connect(target, '')
      assert.equal(ready.uid, 'red')
      assert.equal((await postPacket(target, '', sid, { type: 'HB' })).status, 204)
    })

    it('works at the root, and leaves the routes behind it alone', async () => {
      const served = await serve((app, comet) => {
        app.use(cometExpress(comet, { identify: () => 'alice' }))
        app.get('/hello', (_req, res) => {
          res.send('hello')
        })
      })
      const target = { url: served.origin }
      assert.equal((await connect(target, '', { path: '/' })).ready.uid, 'alice')
      assert.equal((await request(target, { path: '/hello' })).text, 'hello')
    })

    it('serves two Comets in one app', async () => {
      const other = new Comet()
      closers.push(() => other.close())
      const served = await serve((app, comet) => {
        app.use('/one', cometExpress(comet, { identify: () => 'alice' }))
        app.use('/other', cometExpress(other, { identify: () => 'alice' }))
      })
      const one = await connect({ url: `${served.origin}/one` }, '')
      const two = await connect({ url: `${served.origin}/other` }, '')
      await other.publish({ evt: 'from the other' })
      await served.comet.publish({ evt: 'from the one' })
      assert.equal((await one.next('message')).data, 'from the one')
      assert.equal((await two.next('message')).data, 'from the other')
      await other.close()
    })

    it('answers 500 where a route of the app lets the error of its own mistake through', async () => {
      const served = await serve((app, comet) => {
        app.post('/publish', (_req, res, next) => {
          comet.publish({ uid: undefined as unknown as string, evt: 'hi' }).then(() => res.end(), next)
        })
      })
      served.comet.on('error', () => {})
      const answer = await request({ url: served.origin }, { method: 'POST', path: '/publish' })
      assert.equal(answer.status, 500)
    })

    for (const options of [undefined, {}, { identify: 'alice' }]) {
      it(`refuses ${JSON.stringify(options)} as options`, () => {
        const wrong = options as unknown as { identify: () => string }
        assert.throws(() => cometExpress(new Comet(), wrong), { code: 'INVALID_OPTION', message: /identify/ })
      })
    }
  })
}

for (const adapter of byKind('express')) {
  describe(`POST packet with a compressed body in ${adapter.name} behind express.json`, () => {
    const send = async (text: string) => {
      const [, json] = parsersOf(adapter)
      return await withApp(adapter, { before: json?.before ?? [] }, async (app) => {
        const { sid } = await connect(app, 'alice')
        const headers = { 'x-user': 'alice', 'content-type': 'application/json', 'content-encoding': 'gzip' }
        return await request(app, { method: 'POST', path: `/${sid}`, headers, body: gzipSync(text) })
      })
    }

    it('is taken', async () => {
      const packet = JSON.stringify({ type: 'SEND', send: { evt: 'hi, ü and 🚀' } })
      assert.equal((await send(packet)).status, 204)
    })

    it('is answered with 413 when it is too large only after it was unpacked', async () => {
      const answer = await send(JSON.stringify({ type: 'SEND', send: { evt: 'x'.repeat(65_536) } }))
      assert.deepEqual([answer.status, answer.json.error.code], [413, 'PACKET_TOO_LARGE'])
    })
  })
}
