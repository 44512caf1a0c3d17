import assert from 'node:assert/strict'
import http from 'node:http'
import { createRequire } from 'node:module'
import Koa from 'koa'
import { cometKoa } from '../../adapters/koa.ts'
import { Comet } from '../../lib/index.ts'
import { listen } from '../support/apps.ts'
import { connect, request } from '../support/clients.ts'
import '../support/process-guard.ts'

const Koa2 = createRequire(import.meta.url)('koa2') as typeof Koa

const identify = (ctx: Koa.Context) => ctx.get('x-user') || undefined

for (const [name, Class] of [
  ['Koa 3', Koa],
  ['Koa 2', Koa2],
] as const) {
  describe(`cometKoa in ${name}`, () => {
    const closers: (() => Promise<void>)[] = []
    const failures: unknown[] = []

    const serve = async (build: (app: Koa, comet: Comet) => void) => {
      const comet = new Comet()
      const app = new Class()
      app.on('error', (error) => failures.push(error))
      build(app, comet)
      const served = await listen(http.createServer(app.callback()), comet)
      closers.push(served.close)
      return { ...served, comet }
    }
    beforeEach(() => {
      failures.length = 0
    })
    afterEach(async () => {
      for (const close of closers.splice(0)) await close()
    })

    it('refuses unknown options, and what is no Comet', () => {
      const comet = new Comet()
      const options = { identify, crosssite: true }
      assert.throws(() => cometKoa(comet, options), { code: 'INVALID_OPTION', message: /"crosssite"/ })
      assert.throws(() => cometKoa({} as Comet, { identify }), { code: 'INVALID_OPTION', message: /Comet/ })
      const wrong = { identify, crossSite: 'yes' as never }
      assert.throws(() => cometKoa(comet, wrong), { code: 'INVALID_OPTION', message: /crossSite/ })
    })

    it('lets earlier middlewares set headers after it has answered a packet or an error', async () => {
      const served = await serve((app, comet) => {
        app.use(async (ctx, next) => {
          await next()
          ctx.set('x-after', `${ctx.status}`)
        })
        app.use(cometKoa(comet, { path: '/comet', identify }))
      })
      const alice = await connect(served, 'alice')
      const packet = { method: 'POST', path: `/${alice.sid}`, body: '{"type":"HB"}' }
      const headers = { 'content-type': 'application/json' }
      const [taken, foreign, nobody] = [
        await request(served, { ...packet, headers: { ...headers, 'x-user': 'alice' } }),
        await request(served, { ...packet, headers: { ...headers, 'x-user': 'bob' } }),
        await request(served),
      ]
      assert.deepEqual([taken.status, taken.headers['x-after']], [204, '204'])
      assert.deepEqual([foreign.status, foreign.headers['x-after']], [403, '403'])
      assert.deepEqual([nobody.status, nobody.headers['x-after']], [401, '401'])
      assert.equal(foreign.json.error.code, 'NOT_YOUR_SESSION')
    })

    it("gives identify Koa's context, with what earlier middlewares put there", async () => {
      const served = await serve((app, comet) => {
        app.use(async (ctx, next) => {
          ctx.state.user = { id: 7 }
          await next()
        })
        app.use(cometKoa(comet, { path: '/comet', identify: (ctx: Koa.Context) => ctx.state.user.id }))
      })
      assert.equal((await connect(served, '')).ready.uid, '7')
    })

    for (const [path, ours, others] of [
      [undefined, ['/', '/?rid='], ['/comet']],
      ['/comet', ['/comet', '/comet/', '/comet?rid='], ['/', '/comets', '/api/comet']],
      ['/api/push/', ['/api/push', '/api/push/'], ['/api', '/api/pushed']],
    ] as const) {
      it(`serves the stream at its path ${path}, and nothing else`, async () => {
        const served = await serve((app, comet) => {
          app.use(cometKoa(comet, { identify, ...(path === undefined ? {} : { path }) }))
          app.use((ctx) => {
            ctx.body = 'the app'
          })
        })
        const target = { url: served.origin }
        for (const each of ours)
          assert.equal((await connect(target, 'alice', { path: each })).ready.uid, 'alice', each)
        for (const each of others) assert.equal((await request(target, { path: each })).text, 'the app', each)
      })
    }

    it('does not set ctx.respond for requests that are not for Comet', async () => {
      const served = await serve((app, comet) => {
        app.use(cometKoa(comet, { path: '/comet', identify }))
        app.use((ctx) => {
          ctx.body = { respond: ctx.respond ?? true }
        })
      })
      for (const path of ['/elsewhere', '/comet/elsewhere']) {
        assert.deepEqual((await request({ url: served.origin }, { path })).json, { respond: true })
      }
    })

    it('returns when the stream has begun: middlewares before it finish, and headers that they set then have no effect', async () => {
      const finished: number[] = []
      const served = await serve((app, comet) => {
        app.use(async (ctx, next) => {
          await next()
          ctx.set('X-Response-Time', '1')
          finished.push(ctx.status)
        })
        app.use(cometKoa(comet, { path: '/comet', identify }))
      })
      const { next } = await connect(served, 'alice')
      await served.comet.publish({ evt: 'hi' })
      assert.equal((await next('message')).data, 'hi')
      await request(served)
      assert.deepEqual(finished, [200, 401])
      assert.deepEqual(failures, [])
    })

    it('lets identify refuse with ctx.throw', async () => {
      const served = await serve((app, comet) => {
        app.use(
          cometKoa(comet, { path: '/comet', identify: (ctx: Koa.Context) => ctx.throw(402, 'pay first') }),
        )
      })
      const { status, text } = await request(served)
      assert.deepEqual([status, text], [402, 'pay first'])
    })

    it('answers 500 where a route of the app lets the error of its own mistake through', async () => {
      const served = await serve((app, comet) => {
        app.use(async () => {
          await comet.publish({ uid: undefined as unknown as string, evt: 'hi' })
        })
      })
      served.comet.on('error', () => {})
      const answer = await request({ url: served.origin }, { method: 'POST', path: '/publish' })
      assert.equal(answer.status, 500)
      assert.equal(failures.length, 1)
    })

    for (const path of ['comet', '', 7]) {
      it(`refuses ${JSON.stringify(path)} as a path`, () => {
        const options = { identify, path: path as string }
        assert.throws(() => cometKoa(new Comet(), options), { code: 'INVALID_OPTION', message: /path/ })
      })
    }

    for (const options of [undefined, {}, { identify: 'alice' }]) {
      it(`refuses ${JSON.stringify(options)} as options`, () => {
        const wrong = options as unknown as { identify: () => string }
        assert.throws(() => cometKoa(new Comet(), wrong), { code: 'INVALID_OPTION', message: /identify/ })
      })
    }
  })
}
