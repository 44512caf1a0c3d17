import assert from 'node:assert/strict'
import http from 'node:http'
import { createRequire } from 'node:module'
import Router, { type RouterMiddleware } from '@koa/router'
import type express from 'express'
import Koa from 'koa'
import { cometExpress } from '../../adapters/express.ts'
import { cometKoa } from '../../adapters/koa.ts'
import { cometHandler } from '../../adapters/node.ts'
import { Comet } from '../../lib/index.ts'
import { listen } from '../support/apps.ts'
import { connect, postPacket, request } from '../support/clients.ts'
import { EXPRESSES } from '../support/express-sessions.ts'
import { nextWarning } from '../support/warnings.ts'
import '../support/process-guard.ts'

const Koa2 = createRequire(import.meta.url)('koa2') as typeof Koa

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

const serve = async (comet: Comet, listener: http.RequestListener) => {
  const served = await listen(http.createServer(listener), comet)
  closers.push(served.close)
  return served
}

/** Fails when a warning of Comet is emitted meanwhile. */
const withoutWarning = async (act: () => Promise<void>) => {
  const warnings: Error[] = []
  const note = (warning: Error) => {
    if (warning.name === 'CometWarning') warnings.push(warning)
  }
  process.on('warning', note)
  await act()
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', note)
  assert.deepEqual(warnings, [])
}

/** Opens a stream at a path, and sends a packet to `?sid=` there. */
const useMount = async (origin: string, path: string, by: 'query' | 'path' = 'query') => {
  const target = { url: `${origin}${path}` }
  const { sid, ready, destroy } = await connect(target, 'alice', { path: '?rid=den' })
  assert.deepEqual(ready.rooms, ['den'])
  const to = by === 'query' ? `?sid=${sid}` : `/${sid}`
  const { status } = await request(target, {
    method: 'POST',
    path: to,
    headers: { 'x-user': 'alice', 'content-type': 'application/json' },
    body: '{"type":"HB"}',
  })
  destroy()
  return status
}

/** The warning that the first stream at a URL causes. */
const warningOf = async (url: string) => {
  let stream: Promise<unknown> | undefined
  const warning = await nextWarning(() => {
    stream = connect({ url }, 'alice')
  })
  await stream
  return warning
}

const makeComet = () => new Comet({ canEnter: () => true })

for (const [name, create] of EXPRESSES) {
  const identify = (req: express.Request) => req.get('x-user')
  // The two majors write an optional part in different ways.
  const optional = name === 'Express 5' ? '/comet{/:sid}' : '/comet/:sid?'
  const splat = name === 'Express 5' ? '/comet{/*rest}' : '/comet(/*)?'
  const all = name === 'Express 5' ? '/{*all}' : '*'

  describe(`cometExpress in a route of ${name}`, () => {
    const start = async (build: (app: express.Express, comet: Comet) => void) => {
      const comet = makeComet()
      const app = create()
      build(app, comet)
      app.use((_req, res) => {
        res.status(418).send('the app')
      })
      return await serve(comet, app)
    }

    it('serves app.all: the stream, and packets at ?sid=', async () => {
      await withoutWarning(async () => {
        const { origin } = await start((app, comet) => app.all('/comet', cometExpress(comet, { identify })))
        assert.equal(await useMount(origin, '/comet'), 204)
        assert.equal(await useMount(origin, '/comet/'), 204)
        assert.equal((await request({ url: origin }, { path: '/comets' })).status, 418)
        assert.equal((await request({ url: origin }, { path: '/comet/elsewhere' })).status, 418)
        assert.equal((await request({ url: origin }, { method: 'PUT', path: '/comet' })).status, 405)
      })
    })

    for (const pattern of [optional, splat]) {
      it(`serves app.all('${pattern}'): packets by the path, too, and leaves other paths to the app`, async () => {
        await withoutWarning(async () => {
          const { origin } = await start((app, comet) => app.all(pattern, cometExpress(comet, { identify })))
          assert.equal(await useMount(origin, '/comet'), 204)
          assert.equal(await useMount(origin, '/comet', 'path'), 204)
          assert.equal((await request({ url: origin }, { path: '/comet/elsewhere' })).status, 418)
        })
      })
    }

    it('serves a pair of app.get and app.post, each with a middleware of its own', async () => {
      await withoutWarning(async () => {
        const { origin } = await start((app, comet) => {
          app.get('/comet', cometExpress(comet, { identify }))
          app.post('/comet/:sid', cometExpress(comet, { identify }))
        })
        assert.equal(await useMount(origin, '/comet', 'path'), 204)
      })
    })

    it('serves routers in routers, with parameters, and a middleware before it in the route', async () => {
      await withoutWarning(async () => {
        const { origin } = await start((app, comet) => {
          const inner = create.Router({ mergeParams: true })
          const outer = create.Router({ mergeParams: true })
          const pass: express.RequestHandler = (_req, _res, next) => next()
          inner.all('/push', pass, [pass, cometExpress(comet, { identify })])
          outer.use('/v1', inner)
          app.use('/teams/:team', outer)
        })
        assert.equal(await useMount(origin, '/teams/red/v1/push'), 204)
      })
    })

    it('serves a function of the app that calls it', async () => {
      const { origin } = await start((app, comet) => {
        const handler = cometExpress(comet, { identify })
        app.all('/comet', (req, res, next) => handler(req, res, next))
        app.use('/nest', (req, res, next) => handler(req, res, next))
      })
      assert.equal(await useMount(origin, '/comet'), 204)
      assert.equal(await useMount(origin, '/nest', 'path'), 204)
    })

    it('works by app.use behind a route that matches everything', async () => {
      await withoutWarning(async () => {
        const { origin } = await start((app, comet) => {
          app.all(all, (_req, _res, next) => next())
          app.use('/comet', cometExpress(comet, { identify }))
        })
        assert.equal(await useMount(origin, '/comet', 'path'), 204)
        for (const path of ['/elsewhere', '/comet/elsewhere', '/']) {
          const headers = { 'x-user': 'alice', accept: 'text/event-stream' }
          assert.equal((await request({ url: origin }, { path, headers })).status, 418, path)
        }
      })
    })

    it('serves app.get, and warns once with the line to write instead', async () => {
      const { origin } = await start((app, comet) => app.get('/comet', cometExpress(comet, { identify })))
      const warning = await warningOf(`${origin}/comet`)
      assert.deepEqual([warning.name, (warning as { code?: string }).code], ['CometWarning', 'COMET_MOUNT'])
      assert.match(warning.message, /app\.get\('\/comet', …\), which gets no POST/)
      assert.match(warning.message, /app\.use\('\/comet', cometExpress\(comet, \{ identify \}\)\)/)
      await withoutWarning(async () => void (await connect({ url: `${origin}/comet` }, 'bob')))
    })

    it("warns of router.get, and of a wrapper's app.get", async () => {
      const { origin } = await start((app, comet) => {
        const router = create.Router()
        router.get('/push', cometExpress(comet, { identify }))
        app.use('/api', router)
      })
      const warning = await warningOf(`${origin}/api/push`)
      assert.match(warning.message, /router\.get\('\/push', …\).*router\.use\('\/push', cometExpress/)
      const wrapped = await start((app, comet) => {
        const handler = cometExpress(comet, { identify })
        app.get('/comet', (req, res, next) => handler(req, res, next))
      })
      const other = await warningOf(`${wrapped.origin}/comet`)
      assert.match(other.message, /app\.get\('\/comet', …\)/)
    })

    it('serves and warns of cometHandler, the adapter without a framework, as well', async () => {
      const byHeader = {
        identify: (req: { headers: http.IncomingHttpHeaders }) => req.headers['x-user'] as string,
      }
      const all = await start((app, comet) => app.all('/comet', cometHandler(comet, byHeader)))
      assert.equal(await useMount(all.origin, '/comet'), 204)
      const get = await start((app, comet) => app.get('/comet', cometHandler(comet, byHeader)))
      assert.match((await warningOf(`${get.origin}/comet`)).message, /app\.use\('\/comet', cometExpress/)
    })

    it('serves cometHandler where the path is given twice, to app.use and as its option', async () => {
      const { origin } = await start((app, comet) => {
        const byHeader = (req: { headers: http.IncomingHttpHeaders }) => req.headers['x-user'] as string
        app.use('/api/comet', cometHandler(comet, { path: '/comet', identify: byHeader }))
      })
      assert.equal(await useMount(origin, '/api/comet', 'path'), 204)
      assert.equal((await request({ url: origin }, { path: '/api/comet/elsewhere' })).status, 418)
    })

    it('says which adapter is for Express', async () => {
      const failures: Error[] = []
      const { origin } = await start((app, comet) => {
        app.use('/comet', cometKoa(comet, { identify: () => 'alice' }) as unknown as express.RequestHandler)
        app.use((error: Error, _req: express.Request, res: express.Response, _next: express.NextFunction) => {
          failures.push(error)
          res.sendStatus(500)
        })
      })
      assert.equal((await request({ url: origin }, { path: '/comet' })).status, 500)
      assert.match(failures[0]?.message ?? '', /cometKoa is for Koa.*cometExpress/)
    })

    it('serves cometHandler by a function that calls it', async () => {
      const { origin } = await start((app, comet) => {
        const handler = cometHandler(comet, {
          path: '/comet',
          identify: ({ headers }) => headers['x-user'] as string,
        })
        app.all(['/comet', '/comet/:sid'], (req, res, next) => handler(req, res, next))
      })
      assert.equal(await useMount(origin, '/comet', 'path'), 204)
    })
  })
}

for (const [name, Class] of [
  ['Koa 3', Koa],
  ['Koa 2', Koa2],
] as const) {
  const identify = (ctx: Koa.Context) => ctx.get('x-user')

  describe(`cometKoa in a route of @koa/router in ${name}`, () => {
    const start = async (build: (router: Router, comet: Comet, app: Koa) => Router | undefined) => {
      const comet = makeComet()
      const app = new Class()
      const router = new Router()
      const outer = build(router, comet, app) ?? router
      app.use(outer.routes() as unknown as Koa.Middleware)
      app.use((ctx) => {
        ctx.status = 418
        ctx.body = 'the app'
      })
      return await serve(comet, app.callback())
    }
    type Handler = RouterMiddleware
    const middleware = (comet: Comet, path?: string) =>
      cometKoa(comet, { identify, ...(path === undefined ? {} : { path }) }) as unknown as Handler

    for (const path of [undefined, '/comet']) {
      it(`serves router.all with the path ${path}: the stream, and packets at ?sid=`, async () => {
        await withoutWarning(async () => {
          const { origin } = await start(
            (router, comet) => void router.all('/comet', middleware(comet, path)),
          )
          assert.equal(await useMount(origin, '/comet'), 204)
          assert.equal((await request({ url: origin }, { path: '/comets' })).status, 418)
        })
      })
    }

    it('serves an optional part, and a pair of router.get and router.post', async () => {
      await withoutWarning(async () => {
        const { origin } = await start((router, comet) => {
          router.all('/comet{/:sid}', middleware(comet))
          router.get('/pair', middleware(comet)).post('/pair/:sid', middleware(comet))
          return undefined
        })
        assert.equal(await useMount(origin, '/comet', 'path'), 204)
        assert.equal(await useMount(origin, '/pair', 'path'), 204)
        assert.equal((await request({ url: origin }, { path: '/comet/elsewhere' })).status, 418)
      })
    })

    it('serves routers in routers with prefixes and parameters, and a function that calls it', async () => {
      await withoutWarning(async () => {
        const { origin } = await start((router, comet) => {
          const outer = new Router({ prefix: '/teams/:team' })
          router.all('/push', async (_ctx, next) => await next(), middleware(comet))
          const handler = middleware(comet)
          router.all('/wrapped', (ctx, next) => handler(ctx, next))
          outer.use('/v1', router.routes())
          return outer
        })
        assert.equal(await useMount(origin, '/teams/red/v1/push'), 204)
        assert.equal(await useMount(origin, '/teams/red/v1/wrapped'), 204)
      })
    })

    it('serves router.get, and warns once with the line to write instead', async () => {
      const { origin } = await start((router, comet) => void router.get('/comet', middleware(comet)))
      const warning = await warningOf(`${origin}/comet`)
      assert.deepEqual([warning.name, (warning as { code?: string }).code], ['CometWarning', 'COMET_MOUNT'])
      assert.match(warning.message, /router\.get\('\/comet', …\), which gets no POST/)
      assert.match(warning.message, /app\.use\(cometKoa\(comet, \{ path: '\/comet', identify \}\)\)/)
      await withoutWarning(async () => void (await connect({ url: `${origin}/comet` }, 'bob')))
    })

    it('works where the path is given twice, to koa-mount and as its option', async () => {
      const { origin } = await start((_router, comet, app) => {
        // As koa-mount does.
        app.use(async (ctx, next) => {
          if (!ctx.path.startsWith('/comet')) return await next()
          const { path } = ctx
          Object.assign(ctx, { mountPath: '/comet' })
          ctx.path = path.slice('/comet'.length) || '/'
          await cometKoa(comet, { path: '/comet', identify })(ctx as never, async () => {
            ctx.path = path
            await next()
          })
        })
        return undefined
      })
      assert.equal(await useMount(origin, '/comet', 'path'), 204)
      assert.equal((await request({ url: origin }, { path: '/comet/elsewhere' })).status, 418)
    })

    it('says which adapter is for Koa', async () => {
      const failures: Error[] = []
      const { origin } = await start((_router, comet, app) => {
        app.on('error', (error) => failures.push(error))
        app.use(cometExpress(comet, { identify: () => 'alice' }) as unknown as Koa.Middleware)
        return undefined
      })
      assert.equal((await request({ url: origin }, { path: '/comet' })).status, 500)
      assert.match(failures[0]?.message ?? '', /cometExpress is for Express.*cometKoa/)
    })

    it('works by app.use behind a router that passes everything on', async () => {
      await withoutWarning(async () => {
        const { origin } = await start((_router, comet, app) => {
          const first = new Router()
          first.all('/{*all}', async (_ctx, next) => await next())
          app.use(first.routes() as unknown as Koa.Middleware)
          app.use(cometKoa(comet, { path: '/comet', identify }))
          return undefined
        })
        assert.equal(await useMount(origin, '/comet', 'path'), 204)
        const headers = { 'x-user': 'alice', accept: 'text/event-stream' }
        assert.equal((await request({ url: origin }, { path: '/elsewhere', headers })).status, 418)
      })
    })
  })
}

describe('POST <mount>?sid=', () => {
  it('is a packet as POST <mount>/<sid> is, and is refused with what to write', async () => {
    const comet = makeComet()
    const identify = ({ headers }: http.IncomingMessage) => headers['x-user'] as string
    const app = await serve(comet, cometHandler(comet, { path: '/comet', identify: identify as never }))
    const { sid } = await connect(app, 'alice')
    assert.equal((await postPacket(app, 'alice', `?sid=${sid}`, { type: 'HB' })).status, 204)
    assert.equal((await postPacket(app, 'alice', sid, { type: 'HB' })).status, 204)
    const post = async (path: string, user = 'alice') => {
      const headers = { 'x-user': user, 'content-type': 'application/json' }
      const { status, json } = await request(app, { method: 'POST', path, headers, body: '{"type":"HB"}' })
      return [status, json?.error.code]
    }
    assert.deepEqual(await post(`/?sid=${sid}`), [204, undefined])
    assert.deepEqual(await post(`?x=1&sid=${sid}&sid=${sid}`), [204, undefined])
    assert.deepEqual(await post(`?sid=${sid}`, 'bob'), [403, 'NOT_YOUR_SESSION'])
    assert.deepEqual(await post('?sid=AAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA'), [404, 'NO_SUCH_SESSION'])
    assert.deepEqual(await post('?sid=nonsense'), [404, 'NO_SUCH_SESSION'])
    assert.deepEqual(await post(`?sid=${sid}&sid=x`), [400, 'INVALID_FIELD'])
    assert.deepEqual(await post(`?sid[]=${sid}`), [400, 'INVALID_FIELD'])
    assert.deepEqual(await post('?sid='), [405, 'METHOD_NOT_ALLOWED'])
    assert.deepEqual(await post(''), [405, 'METHOD_NOT_ALLOWED'])
    const { json } = await request(app, { method: 'POST' })
    assert.match(json.error.message, /<mount>\/<sid>.*<mount>\?sid=<sid>/)
  })

  it('is refused to a page of another site', async () => {
    const comet = makeComet()
    const app = await serve(comet, cometHandler(comet, { path: '/comet', identify: () => 'alice' }))
    const { sid } = await connect(app, 'alice')
    const headers = { 'sec-fetch-site': 'cross-site', 'content-type': 'application/json' }
    const send = { method: 'POST', path: `?sid=${sid}`, headers, body: '{"type":"BYE"}' }
    assert.equal((await request(app, send)).status, 403)
  })
})
