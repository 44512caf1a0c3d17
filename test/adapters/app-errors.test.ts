import assert from 'node:assert/strict'
import http from 'node:http'
import express from 'express'
import Koa from 'koa'
import { Comet, CometError, type CometOptions, parseMessage, stringifyMessage } from '../../lib/index.ts'
import { listen, nodeHttp, withApp } from '../support/apps.ts'
import { connect, openStream, postPacket, request } from '../support/clients.ts'
import '../support/process-guard.ts'

/** Mistakes that a route of an app may make. */
const MISTAKES: Record<string, (comet: Comet) => unknown> = {
  'publish to undefined': (comet) => comet.publish({ uid: undefined as never, evt: 'x' }),
  'publish what is too large': (comet) => comet.publish({ evt: 'x'.repeat(2_000_000) }),
  'publish a wrong field': (comet) => comet.publish({ evt: { time: 1 as never } }),
  'enter an empty room': (comet) => comet.enter({ uid: 'alice' }, ''),
  'disconnect nobody': (comet) => comet.disconnect({} as never),
  'history of a string': (comet) => comet.history('lobby' as never),
  'hear nobody': (comet) => comet.heard(undefined as never),
  'a hook that there is not': (comet) => comet.on('onlin' as never, () => {}),
  'a wrong option': () => new Comet({ retry: 1 }),
  'a message with a wrong field': () => stringifyMessage({ time: 1 as never }),
  'a message that is no text': () => parseMessage(undefined as never),
}

type Serve = (comet: Comet, act: () => unknown) => http.RequestListener

const express5: Serve = (_, act) => {
  const app = express().set('env', 'test')
  app.get('/act', async (_req, res) => {
    await act()
    res.end()
  })
  return app
}

const koa3: Serve = (_, act) => {
  const app = new Koa()
  app.silent = true
  app.use(async () => {
    await act()
  })
  return app.callback()
}

for (const [name, serve] of [
  ['Express 5', express5],
  ['Koa 3', koa3],
] as const) {
  describe(`A mistake of the app in ${name}`, () => {
    for (const [title, mistake] of Object.entries(MISTAKES)) {
      it(`is answered with 500, and not as a mistake of the browser: ${title}`, async () => {
        const comet = new Comet()
        comet.on('error', () => {})
        const served = await listen(http.createServer(serve(comet, () => mistake(comet))), comet)
        try {
          assert.equal((await request({ url: served.origin }, { path: '/act' })).status, 500)
        } finally {
          await served.close()
        }
      })
    }
  })
}

describe('A mistake of the app in onMessage and canEnter', () => {
  const make = (comet: CometOptions, use: Parameters<typeof withApp>[2]) => withApp(nodeHttp, { comet }, use)
  const send = { type: 'SEND', send: { evt: 'hi' } }

  for (const [title, mistake] of Object.entries(MISTAKES)) {
    if (title === 'a hook that there is not' || title === 'a wrong option') continue
    it(`is answered with INTERNAL, and goes to 'error': ${title}`, async () => {
      let comet: Comet
      const act = async () => {
        await mistake(comet)
        return true
      }
      await make({ canEnter: act, onMessage: act }, async (app) => {
        comet = app.comet
        const { sid } = await connect(app, 'alice')
        const { status, json } = await postPacket(app, 'alice', sid, send)
        assert.deepEqual([status, json.error.code], [500, 'INTERNAL'])
        const join = await postPacket(app, 'alice', sid, { type: 'JOIN', join: { rid: 'den' } })
        assert.equal(join.status, 500)
        const away = await openStream(app, { path: '?rid=den', headers: { 'x-user': 'bob' } })
        assert.equal((await away.next()).event, 'comet.close')
        assert.ok(app.errors.length >= 3)
      })
    })
  }

  it('is told from an answer that the app throws on purpose, and from a mistake of the client', async () => {
    const onMessage = () => {
      throw new CometError('INVALID_ID', 'No such thing.')
    }
    await make({ onMessage, canEnter: () => true }, async (app) => {
      const { sid } = await connect(app, 'alice')
      assert.equal((await postPacket(app, 'alice', sid, send)).status, 400)
      const join = { type: 'JOIN', join: { rid: 'a\nb' } }
      assert.equal((await postPacket(app, 'alice', sid, join)).status, 400)
      const { status } = await request(app, { path: '?rid=a%0Ab', headers: { 'x-user': 'bob' } })
      assert.equal(status, 400)
      assert.deepEqual(app.errors, [])
    })
  })
})
