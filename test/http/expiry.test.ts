import assert from 'node:assert/strict'
import FakeTimers from '@sinonjs/fake-timers'
import { type AppOptions, nodeHttp, startApp, type TestApp } from '../support/apps.ts'
import { connect, postPacket, request } from '../support/clients.ts'
import '../support/process-guard.ts'

const MINUTE_MS = 60_000

describe('expiresAt', () => {
  let app: TestApp

  const start = async (options: AppOptions) => {
    app = await startApp(nodeHttp, options)
  }
  afterEach(() => app.close())

  it('closes the stream then and not before, and lets it come back', async () => {
    const clock = FakeTimers.install({
      toFake: ['performance', 'setTimeout', 'clearTimeout', 'Date'],
      // In the past: time stamps of the process never go back, not even after this test.
      now: Date.now() - 10 * MINUTE_MS,
    })
    try {
      const expiresAt = Date.now() + MINUTE_MS
      await start({ identify: () => ({ uid: 'alice', expiresAt }), comet: { heartbeatInterval: 0 } })
      const stream = await connect(app, '')
      clock.tick(MINUTE_MS / 2)
      await app.comet.publish({ evt: 'still open' })
      assert.equal((await stream.next()).data, 'still open')
      clock.tick(MINUTE_MS)
      const { event, data, id } = await stream.next()
      assert.equal(event, 'comet.close')
      assert.equal(await stream.ended, true)
      assert.deepEqual(JSON.parse(data), {
        code: 'EXPIRED',
        reason: 'The identity has expired.',
        reconnect: true,
      })
      // No stay-away token: the client may come back.
      assert.equal(id, undefined)
    } finally {
      clock.uninstall()
    }
  })

  it('answers 401 to a stream and to a packet once it has passed', async () => {
    let expiresAt = Date.now() + MINUTE_MS
    await start({ identify: () => ({ uid: 'alice', expiresAt }) })
    const { sid } = await connect(app, '')
    expiresAt = Date.now() - 1
    const { status, json } = await request(app)
    const error = { code: 'UNAUTHENTICATED', message: 'The identity has expired.' }
    assert.deepEqual([status, json.error], [401, error])
    assert.equal((await postPacket(app, '', sid, { type: 'HB' })).status, 401)
    assert.deepEqual(app.failures, [])
  })

  for (const [what, expiresAt, problem] of [
    ['in seconds', Math.floor(Date.now() / 1_000) + 3_600, 'must be in milliseconds, not seconds'],
    ['text', '2100-01-01', 'must be a number of milliseconds, not a string'],
    ['a Date', new Date(), 'must be a number of milliseconds, not an object'],
    ['NaN', Number.NaN, 'must be a number of milliseconds, not a number'],
  ] as const) {
    it(`causes an error of the app that says why when it is ${what}`, async () => {
      await start({ identify: () => ({ uid: 'alice', expiresAt: expiresAt as number }) })
      assert.equal((await request(app)).status, 500)
      assert.deepEqual(
        app.failures.map((error) => (error as Error).message),
        [`What identify answered is wrong: expiresAt ${problem}.`],
      )
    })
  }
})
