import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import type { RequestHandler } from 'express'
import { Passport } from 'passport'
import { type Comet, CometError } from '../../lib/index.ts'
import { untilSessions } from '../support/apps.ts'
import { connect, openStream, request, startStream } from '../support/clients.ts'
import { cookieOf, EXPRESSES, startSessionApp } from '../support/express-sessions.ts'
import { Gate } from '../support/inbox.ts'
import { forcedCompression } from '../support/middlewares.ts'
import '../support/process-guard.ts'

type SessionApp = Awaited<ReturnType<typeof startSessionApp>>

for (const [name, create] of EXPRESSES) {
  describe(`cometExpress behind express-session in ${name}`, () => {
    const apps: SessionApp[] = []
    const start = async (options?: Parameters<typeof startSessionApp>[1]) => {
      const app = await startSessionApp(create, options)
      apps.push(app)
      return app
    }
    afterEach(async () => {
      const started = apps.splice(0)
      for (const app of started) await app.close()
      for (const { errors, failures } of started) assert.deepEqual([errors, failures], [[], []])
    })

    const endStream = async ({ comet }: SessionApp, { ended }: { ended: Promise<boolean> }) => {
      await comet.disconnect({ uid: 'alice' }, { reconnect: true })
      assert.equal(await ended, true)
    }

    const settings = [
      ['resave: true', { resave: true }],
      ['resave: false', { resave: false }],
      ['resave: true, rolling: true', { resave: true, rolling: true }],
      // Its `end` flushes what it has compressed, so it must be called.
      [
        'resave: true behind a compression that takes every response',
        { resave: true, before: forcedCompression({ kind: 'express' }) as RequestHandler[] },
      ],
      [
        'resave: true before a compression that takes every response',
        { resave: true, between: forcedCompression({ kind: 'express' }) as RequestHandler[] },
      ],
    ] as const
    for (const [setting, options] of settings) {
      describe(`with ${setting}`, () => {
        it('leaves an old cookie signed out after a sign-out that ends a stream', async () => {
          const app = await start(options)
          const cookie = await app.signIn()
          const stream = await app.open(cookie)
          assert.equal(stream.ready.uid, 'alice')
          assert.equal((await app.send('POST', '/sign-out', cookie)).status, 204)
          assert.equal(await stream.ended, true)
          assert.deepEqual(await app.me(cookie), { userId: null, cart: null })
          assert.equal((await openStream(app, { headers: { cookie } })).status, 401)
        })

        it('keeps what other requests change in the session during a stream', async () => {
          const app = await start(options)
          const cookie = await app.signIn()
          const stream = await connect(app, '', { headers: { cookie, 'accept-encoding': 'gzip' } })
          await app.send('POST', '/cart', cookie)
          await endStream(app, stream)
          assert.deepEqual(await app.me(cookie), { userId: 'alice', cart: ['book'] })
        })

        it('has stored what identify changed when the stream begins, and nothing later', async () => {
          const app = await start({
            ...options,
            identify: (req) => {
              req.session.visits = (req.session.visits ?? 0) + 1
              return req.session.userId
            },
          })
          const cookie = await app.signIn()
          const gate = app.store.hold()
          app.store.calls.length = 0
          const client = startStream(app, { headers: { cookie } })
          await gate.arrival()
          assert.equal(app.comet.stats().sessions, 0)
          gate.open()
          const stream = await client.opened
          await stream.next('comet.ready')
          assert.equal(
            JSON.parse(Object.values((app.store as unknown as Stored).sessions)[0] ?? '').visits,
            1,
          )
          assert.deepEqual(app.store.calls, ['set'])
          await endStream(app, stream)
          assert.deepEqual(app.store.calls, ['set'])
        })
      })
    }

    interface Stored {
      readonly sessions: Readonly<Record<string, string>>
    }
    const storedIn = ({ store }: SessionApp) => Object.keys((store as unknown as Stored).sessions)

    it('has stored a session that the request of the stream made, whose cookie the stream sets', async () => {
      for (const saveUninitialized of [true, false]) {
        const app = await start({
          saveUninitialized,
          identify: (req) => {
            req.session.userId ??= 'alice'
            return req.session.userId
          },
        })
        const gate = app.store.hold()
        const client = startStream(app)
        await gate.arrival()
        gate.open()
        const stream = await client.opened
        const cookie = cookieOf(stream) as string
        assert.deepEqual(await app.me(cookie), { userId: 'alice', cart: null })
        await endStream(app, stream)
        assert.deepEqual(await app.me(cookie), { userId: 'alice', cart: null })
      }
    })

    it('holds the head back until a new session without content is stored, where saveUninitialized is true', async () => {
      const app = await start({ resave: false, identify: () => 'alice' })
      const other = await app.signIn()
      const gate = app.store.hold()
      let begun = false
      const client = startStream(app)
      client.opened.then(() => {
        begun = true
      })
      await gate.arrival()
      // An answer that comes back meanwhile shows that a head would have, too.
      await app.me(other)
      assert.deepEqual([begun, storedIn(app).length], [false, 1])
      gate.open()
      const stream = await client.opened
      await stream.next('comet.ready')
      const id = storedIn(app)[1] as string
      assert.ok(decodeURIComponent(cookieOf(stream) ?? '').includes(id))
      await app.comet.publish({ uid: 'alice', evt: 'hi' })
      assert.equal((await stream.next('message')).data, 'hi')
    })

    it('stores nothing and sets no cookie where saveUninitialized is false and nothing is in the session', async () => {
      const app = await start({ saveUninitialized: false, identify: () => 'alice' })
      const stream = await connect(app, '')
      await endStream(app, stream)
      assert.deepEqual([cookieOf(stream), app.store.calls], [undefined, []])
    })

    it('tells the store when the stream begins, and not at its end, that an unchanged session is in use', async () => {
      for (const resave of [true, false]) {
        const app = await start({ resave })
        const cookie = await app.signIn()
        app.store.calls.length = 0
        const stream = await app.open(cookie)
        assert.deepEqual(app.store.calls, ['touch'])
        await endStream(app, stream)
        assert.deepEqual(app.store.calls, ['touch'])
      }
    })

    it('renews the cookie with each stream where rolling is true', async () => {
      const app = await start({ rolling: true, cookie: { maxAge: 60_000 } })
      const cookie = await app.signIn()
      assert.equal(cookieOf(await app.open(cookie)), cookie)
      const other = await start({ cookie: { maxAge: 60_000 } })
      assert.equal(cookieOf(await other.open(await other.signIn())), undefined)
    })

    it('stores a session that identify makes anew', async () => {
      const app = await start({ resave: false, saveUninitialized: false })
      const regenerated = await start({
        between: [
          (req, _res, next) => {
            if (req.url.startsWith('/comet')) {
              req.session.regenerate((error) => {
                req.session.userId = 'alice'
                next(error)
              })
            } else next()
          },
        ],
      })
      assert.equal((await openStream(app)).status, 401)
      assert.deepEqual(app.store.calls, [])
      const stream = await connect(regenerated, '')
      assert.deepEqual(await regenerated.me(cookieOf(stream) as string), { userId: 'alice', cart: null })
    })

    it('keeps what a middleware before Comet changes, where the line of the guide saves it', async () => {
      for (const resave of [true, false]) {
        const count: RequestHandler = (req, _res, next) => {
          if (req.path.startsWith('/comet')) req.session.visits = (req.session.visits ?? 0) + 1
          next()
        }
        const app = await start({
          resave,
          between: [count, (req, _res, next) => void req.session.save(next)],
        })
        const cookie = await app.signIn()
        await endStream(app, await app.open(cookie))
        const { visits } = JSON.parse(Object.values((app.store as unknown as Stored).sessions)[0] as string)
        assert.equal(visits, 1)
      }
    })

    it('does not sign in again whoever signs out while canEnter refuses a room', async () => {
      const waits = new Gate()
      const app = await start({
        comet: {
          canEnter: async () => {
            await waits.pass()
            return false
          },
        },
      })
      const cookie = await app.signIn()
      const client = startStream(app, { path: '?rid=vault', headers: { cookie } })
      await waits.arrival()
      await app.send('POST', '/sign-out', cookie)
      waits.open()
      const answer = await client.opened
      await answer.ended
      assert.deepEqual(await app.me(cookie), { userId: null, cart: null })
    })

    it('gives a client the temporary answer when its session cannot be stored, and reports why', async () => {
      const app = await start({
        identify: (req) => {
          req.session.visits = Math.random()
          return 'alice'
        },
      })
      const failure = new Error('The disk is full.')
      app.store.failure = failure
      const { status, blocks, json } = await request(app)
      assert.equal(status, 200)
      assert.equal(json, undefined)
      assert.equal(JSON.parse(blocks[0]?.data ?? '').code, new CometError('UNAVAILABLE').code)
      assert.deepEqual(app.errors.splice(0), [failure])
      await untilSessions(app, 0)
      assert.equal(app.comet.stats().connections, 0)
    })

    it('waits five seconds for a store that does not answer, and then gives the temporary answer', async () => {
      const app = await start({
        identify: (req) => {
          req.session.visits = 1
          return 'alice'
        },
      })
      const gate = app.store.hold()
      const client = startStream(app)
      // After the timers of the client, so that only the app is in a hurry.
      const clock = FakeTimers.install({ toFake: ['setTimeout', 'clearTimeout'] })
      try {
        await gate.arrival()
        clock.tick(5_000)
      } finally {
        clock.uninstall()
      }
      const stream = await client.opened
      assert.equal(JSON.parse((await stream.next()).data).code, 'UNAVAILABLE')
      assert.match(String(app.errors.splice(0)[0]), /did not answer in 5000 ms/)
      gate.open()
    })

    it('works behind passport: its sign-out signs out, and a cart that changes during a stream stays', async () => {
      for (const resave of [true, false]) {
        const passport = new Passport()
        passport.serializeUser((user, done) => done(null, (user as { id: string }).id))
        passport.deserializeUser((id, done) => done(null, { id }))
        const app = await start({
          resave,
          between: [passport.initialize(), passport.session(), passportRoutes(() => app.comet)],
          identify: (req) => (req.user as { id: string } | undefined)?.id,
        })
        const cookie = cookieOf(await app.send('POST', '/passport/login')) as string
        const stream = await app.open(cookie)
        await app.send('POST', '/cart', cookie)
        await endStream(app, stream)
        assert.deepEqual((await app.me(cookie)).cart, ['book'])
        const last = await app.open(cookie)
        assert.equal((await app.send('POST', '/passport/logout', cookie)).status, 204)
        assert.equal(await last.ended, true)
        assert.equal((await openStream(app, { headers: { cookie } })).status, 401)
      }
    })
  })
}

/** A sign-in and the sign-out of the guide on login, by passport. */
function passportRoutes(comet: () => Comet): RequestHandler {
  return (req, res, next) => {
    if (req.path === '/passport/login') {
      req.login({ id: 'alice' }, (error) => (error ? next(error) : res.sendStatus(204)))
    } else if (req.path === '/passport/logout') {
      const { id } = req.user as { id: string }
      req.logout((error) => {
        if (error) next(error)
        else
          comet()
            .disconnect({ uid: id })
            .then(() => res.sendStatus(204), next)
      })
    } else next()
  }
}
