import assert from 'node:assert/strict'
import http from 'node:http'
import { createRequire } from 'node:module'
import { PassThrough } from 'node:stream'
import Koa from 'koa'
import compress from 'koa-compress'
import koaSession from 'koa-session'
import { cometKoa } from '../../adapters/koa.ts'
import { Comet, type CometOptions } from '../../lib/index.ts'
import { listen, untilSessions } from '../support/apps.ts'
import { connect, openStream, request, startStream } from '../support/clients.ts'
import { deliver } from '../support/deliveries.ts'
import { Gate, until } from '../support/inbox.ts'
import '../support/process-guard.ts'

const Koa2 = createRequire(import.meta.url)('koa2') as typeof Koa

type Middleware = Koa.Middleware

for (const [name, Class] of [
  ['Koa 3', Koa],
  ['Koa 2', Koa2],
] as const) {
  describe(`The stream of cometKoa in ${name}`, () => {
    const closers: (() => Promise<void>)[] = []
    const failures: unknown[] = []

    const start = async (
      before: readonly Middleware[],
      options: CometOptions & { setUp?: (app: Koa) => void; identify?: (ctx: Koa.Context) => string } = {},
    ) => {
      const { setUp, identify, ...cometOptions } = options
      const comet = new Comet({ offlineGrace: 0, ...cometOptions })
      const app = new Class()
      app.on('error', (error) => failures.push(error))
      comet.on('error', (error) => failures.push(error))
      setUp?.(app)
      for (const middleware of before) app.use(middleware)
      app.use(cometKoa(comet, { path: '/comet', identify: identify ?? ((ctx) => ctx.get('x-user')) }))
      const served = await listen(http.createServer(app.callback()), comet)
      closers.push(served.close)
      return { ...served, comet }
    }
    beforeEach(() => {
      failures.length = 0
    })
    afterEach(async () => {
      for (const close of closers.splice(0)) await close()
      assert.deepEqual(failures, [])
    })

    const alice = { 'x-user': 'alice' }

    it('begins when the middlewares before Comet have returned: they see a 200, and set its headers', async () => {
      const gate = new Gate()
      const seen: unknown[] = []
      const app = await start([
        async (ctx, next) => {
          await next()
          seen.push(ctx.status, ctx.type, ctx.headerSent)
          await gate.pass()
          ctx.set('X-After', 'yes')
          ctx.cookies.set('seen', '1')
        },
      ])
      const client = startStream(app, { headers: alice })
      await gate.arrival()
      await app.comet.publish({ uid: 'alice', evt: 'early' })
      gate.open()
      const stream = await client.opened
      assert.deepEqual(seen, [200, 'text/event-stream', false])
      assert.equal(stream.headers['x-after'], 'yes')
      assert.match(String(stream.headers['set-cookie']), /seen=1/)
      await stream.next('comet.ready')
      assert.equal((await stream.next('message')).data, 'early')
      await deliver(app.comet, stream)
      await app.comet.disconnect({ uid: 'alice' })
      assert.equal((await stream.next()).event, 'comet.close')
      assert.equal(await stream.ended, true)
    })

    it('leaves no error with the app when its clients leave', async () => {
      const app = await start([])
      for (const _ of Array(3)) (await connect(app, 'alice')).destroy()
      await untilSessions(app, 0)
      await until(() => app.sockets.size === 0)
    })

    it('does not begin, and ends its session, when a middleware before Comet fails, or answers otherwise', async () => {
      const others: readonly [Middleware, number, string][] = [
        [
          async (ctx, next) => {
            await next()
            ctx.throw(402, 'pay first')
          },
          402,
          'pay first',
        ],
        [
          async (ctx, next) => {
            await next()
            ctx.body = 'another body'
          },
          200,
          'another body',
        ],
        [
          async (ctx, next) => {
            await next()
            ctx.body = null
          },
          204,
          '',
        ],
        [
          async (ctx, next) => {
            await next()
            ctx.status = 304
          },
          304,
          '',
        ],
        [
          async (ctx, next) => {
            await next()
            const body = new PassThrough()
            body.end('another stream')
            ctx.body = body
          },
          200,
          'another stream',
        ],
      ]
      for (const [before, status, text] of others) {
        const app = await start([before])
        const answer = await request(app, { headers: alice })
        assert.deepEqual([answer.status, answer.text], [status, text])
        await untilSessions(app, 0)
        assert.equal(await app.comet.isOnline('alice'), false)
        failures.splice(0).forEach((error) => {
          assert.equal((error as { status?: number }).status, 402)
        })
      }
    })

    it('ends its session when the client leaves before it has begun', async () => {
      const gate = new Gate()
      const app = await start([
        async (_ctx, next) => {
          await next()
          await gate.pass()
        },
      ])
      const client = startStream(app, { headers: alice })
      await gate.arrival()
      assert.equal(app.comet.stats().sessions, 1)
      client.destroy()
      await untilSessions(app, 0)
      gate.open()
      await until(() => app.sockets.size === 0)
    })

    it('says why it ends when its session is ended before it has begun', async () => {
      const gate = new Gate()
      const app = await start([
        async (_ctx, next) => {
          await next()
          await gate.pass()
        },
      ])
      const client = startStream(app, { headers: alice })
      await gate.arrival()
      await app.comet.disconnect({ uid: 'alice' }, { reason: 'banned' })
      gate.open()
      const stream = await client.opened
      await stream.next('comet.ready')
      assert.equal(JSON.parse((await stream.next('comet.close')).data).reason, 'banned')
      assert.equal(await stream.ended, true)
    })

    it('ends its session as SLOW, and its connection, when Koa never sends it', async () => {
      const app = await start(
        [
          async (ctx, next) => {
            await next()
            ctx.respond = false
          },
        ],
        { writeTimeout: 50 },
      )
      const client = startStream(app, { headers: alice })
      await until(() => app.comet.stats().closes.SLOW === 1)
      client.destroy()
    })

    it('begins at once where the app has set ctx.respond to false before', async () => {
      const app = await start([
        async (ctx, next) => {
          ctx.respond = false
          await next()
        },
      ])
      const stream = await connect(app, 'alice')
      await deliver(app.comet, stream)
    })

    it('is left alone, and leaves no session, when the app has sent a head of its own meanwhile', async () => {
      for (const stage of ['identify', 'canEnter', 'afterwards'] as const) {
        let response: http.ServerResponse | undefined
        const sendHead = () => response?.writeHead(200, { 'content-type': 'text/plain' }).write('mine')
        const app = await start(
          [
            async (ctx, next) => {
              response = ctx.res
              await next()
              if (stage === 'afterwards') sendHead()
            },
          ],
          {
            identify: () => {
              if (stage === 'identify') sendHead()
              return 'alice'
            },
            canEnter: () => {
              if (stage === 'canEnter') sendHead()
              return true
            },
          },
        )
        const stream = await openStream(app, { path: '?rid=lobby' })
        await untilSessions(app, 0)
        await until(async () => !(await app.comet.isOnline('alice')))
        response?.end()
        await stream.ended
        assert.equal(stream.text(), 'mine', stage)
      }
    })

    it("goes through what the app puts behind it, at the reader's pace, and ends", async () => {
      let bytes = 0
      const app = await start([
        async (ctx, next) => {
          await next()
          const counter = new PassThrough()
          counter.on('data', (piece) => {
            bytes += piece.length
          })
          ctx.body = (ctx.body as NodeJS.ReadableStream).pipe(counter)
        },
      ])
      const stream = await connect(app, 'alice')
      await deliver(app.comet, stream)
      await app.comet.disconnect({ uid: 'alice' })
      assert.equal((await stream.next()).event, 'comet.close')
      assert.equal(await stream.ended, true)
      assert.equal(bytes, Buffer.byteLength(stream.text()))
      const leaves = await connect(app, 'bob')
      leaves.destroy()
      await untilSessions(app, 0)
    })

    it('is compressed by a compression that takes it although it has no-transform', async () => {
      const app = await start([
        compress({ threshold: 0, br: false, gzip: { flush: 2 } }),
        async (ctx, next) => {
          await next()
          ctx.set('Cache-Control', 'no-cache')
          ctx.compress = true
        },
      ])
      const stream = await connect(app, 'alice', { headers: { 'accept-encoding': 'gzip' } })
      assert.equal(stream.headers['content-encoding'], 'gzip')
      await app.comet.publish({ uid: 'alice', evt: 'hi' })
      assert.equal((await stream.next('message')).data, 'hi')
    })

    describe('behind koa-session', () => {
      const store = () => {
        const sessions = new Map<string, object>()
        return {
          sessions,
          get: async (key: string) => sessions.get(key),
          set: async (key: string, value: object) => void sessions.set(key, structuredClone(value)),
          destroy: async (key: string) => void sessions.delete(key),
        }
      }
      type Session = Record<string, unknown> & { manuallyCommit(): Promise<void> }
      const sessionOf = (ctx: Koa.Context) => (ctx as unknown as { session: Session }).session

      const startWithSession = async (options: object) => {
        const routes: Middleware = async (ctx, next) => {
          const session = sessionOf(ctx)
          if (ctx.path === '/sign-in') Object.assign(session, { userId: 'alice', cart: [] })
          else if (ctx.path === '/cart') session.cart = ['book']
          else if (ctx.path === '/me') {
            ctx.body = { userId: session.userId ?? null, cart: session.cart ?? null }
            return
          } else if (ctx.path === '/sign-out') {
            const uid = session.userId as string
            ;(ctx as unknown as { session: null }).session = null
            ctx.res.once('finish', () => void app.comet.disconnect({ uid }))
          } else {
            await next()
            return
          }
          ctx.status = 204
        }
        const app = await start([routes], {
          setUp: (koa) => {
            koa.keys = ['secret']
            koa.use(koaSession(options as never, koa) as unknown as Middleware)
            if ('autoCommit' in options) {
              koa.use(async (ctx, next) => {
                await next()
                await sessionOf(ctx)?.manuallyCommit()
              })
            }
          },
          identify: (ctx) => {
            const session = sessionOf(ctx)
            session.visits = Number(session.visits ?? 0) + 1
            return (session.userId ?? 'newcomer') as string
          },
        })
        const send = (path: string, cookie = '') =>
          request({ url: app.origin }, { method: 'POST', path, headers: { cookie } })
        return { ...app, send }
      }
      const cookieOf = ({ headers }: { headers: http.IncomingHttpHeaders }) =>
        (headers['set-cookie'] ?? []).map((cookie) => cookie.split(';')[0]).join('; ')

      for (const options of [{}, { rolling: true }, { rolling: true, autoCommit: false }]) {
        it(`sets the cookie and stores what identify changed, with ${JSON.stringify(options)}`, async () => {
          const app = await startWithSession(options)
          const first = await connect(app, '')
          assert.match(cookieOf(first), /koa\.sess=/)
          const again = await connect(app, '', { headers: { cookie: cookieOf(first) } })
          const session = JSON.parse(
            Buffer.from(/koa\.sess=([^;]+)/.exec(cookieOf(again))?.[1] ?? '', 'base64').toString(),
          )
          assert.equal(session.visits, 2)
          await app.comet.disconnect({ uid: 'newcomer' })
          await again.ended
        })
      }

      for (const options of [{}, { rolling: true }]) {
        it(`signs out by the sign-out of the guide on login, with a store and ${JSON.stringify(options)}`, async () => {
          const app = await startWithSession({ ...options, store: store() })
          const cookie = cookieOf(await app.send('/sign-in'))
          const stream = await connect(app, '', { headers: { cookie } })
          assert.equal(stream.ready.uid, 'alice')
          await app.send('/cart', cookie)
          await app.comet.disconnect({ uid: 'alice' }, { reconnect: true })
          await stream.ended
          assert.deepEqual((await app.send('/me', cookie)).json, { userId: 'alice', cart: ['book'] })
          const last = await connect(app, '', { headers: { cookie } })
          assert.equal((await app.send('/sign-out', cookie)).status, 204)
          assert.equal(await last.ended, true)
          assert.deepEqual((await app.send('/me', cookie)).json, { userId: null, cart: null })
        })
      }
    })
  })
}
