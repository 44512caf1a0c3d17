import assert from 'node:assert/strict'
import http from 'node:http'
import { cometHandler } from '../../adapters/node.ts'
import { Comet, type Identified } from '../../lib/index.ts'
import { listen } from '../support/apps.ts'
import { connect, request } from '../support/clients.ts'
import '../support/process-guard.ts'

const alice = { headers: { 'x-user': 'alice' } }

describe('cometHandler', () => {
  const closers: (() => Promise<void>)[] = []
  const errors: unknown[] = []

  /** A server whose listener calls the handler, with whatever comes next. */
  const serve = async (
    path: string | undefined,
    next?: (res: http.ServerResponse, error?: unknown) => void,
    identify: () => Identified | Promise<Identified> = () => 'alice',
  ) => {
    const comet = new Comet()
    comet.on('error', (error) => errors.push(error))
    const handler = cometHandler(comet, { identify, ...(path === undefined ? {} : { path }) })
    const thrown: unknown[] = []
    const server = http.createServer((req, res) => {
      const result: unknown = handler(req, res, next && ((error) => next(res, error)))
      Promise.resolve(result).catch((error) => thrown.push(error))
    })
    const served = await listen(server, comet)
    closers.push(served.close)
    return { ...served, comet, url: served.origin, thrown }
  }

  beforeEach(() => {
    errors.length = 0
  })
  afterEach(async () => {
    for (const close of closers.splice(0)) await close()
  })

  const failing = () => {
    throw new Error('no database')
  }

  for (const [path, ours, others] of [
    [undefined, ['', '/', '/?rid='], ['/comet', '/favicon.ico', '//']],
    ['/', ['', '/', '/?rid='], ['/comet']],
    ['/comet', ['/comet', '/comet/', '/comet?rid='], ['/', '/comets', '/comet.js', '/api/comet', '/Comet']],
    ['/api/push/', ['/api/push', '/api/push/', '/api/push?rid='], ['/api', '/api/pushed', '/push']],
  ] as const) {
    it(`serves the stream at its path ${path}, and nothing else`, async () => {
      const served = await serve(path)
      for (const each of ours) {
        const { ready, destroy } = await connect(served, 'alice', { path: each })
        destroy()
        assert.equal(ready.uid, 'alice', each)
      }
      for (const each of others) assert.equal((await request(served, { path: each })).status, 404, each)
    })
  }

  it('answers 404 to a request that is not for Comet when there is no next', async () => {
    const served = await serve('/comet')
    const answer = await request(served, { path: '/elsewhere' })
    assert.deepEqual([answer.status, answer.text], [404, ''])
  })

  it("emits an error to 'error' and answers 500 when there is no next", async () => {
    const served = await serve('/comet', undefined, failing)
    const answer = await request(served, { path: '/comet' })
    assert.deepEqual(
      [answer.status, answer.json],
      [500, { error: { code: 'INTERNAL', message: 'The server failed.' } }],
    )
    assert.deepEqual(errors.map(String), ['Error: no database'])
  })

  it('calls next for a request that is not for Comet, and with an error', async () => {
    const next = (res: http.ServerResponse, error?: unknown) => res.end(`next: ${error}`)
    const served = await serve('/comet', next, failing)
    assert.equal((await request(served, { path: '/elsewhere' })).text, 'next: undefined')
    assert.equal((await request(served, { path: '/comet', method: 'OPTIONS' })).text, 'next: undefined')
    assert.equal((await request(served, { path: '/comet' })).text, 'next: Error: no database')
    assert.deepEqual(errors, [])
  })

  it('calls next once, also when that throws', async () => {
    let calls = 0
    const served = await serve('/comet', (res) => {
      calls += 1
      res.end()
      throw new Error('the next one failed')
    })
    await request(served, { path: '/elsewhere' })
    assert.deepEqual(served.thrown.map(String), ['Error: the next one failed'])
    assert.equal(calls, 1)
  })

  it('ends a response that has begun when it fails', async () => {
    const comet = new Comet()
    comet.on('error', (error) => errors.push(error))
    const server = http.createServer((req, res) => {
      const identify = () => {
        res.writeHead(200).write('begun')
        return failing()
      }
      cometHandler(comet, { identify })(req, res)
    })
    const served = await listen(server, comet)
    closers.push(served.close)
    assert.equal((await request({ url: served.origin }, alice)).text, 'begun')
    assert.deepEqual(errors.map(String), ['Error: no database'])
  })

  for (const path of ['comet', '', 7, null]) {
    it(`refuses ${JSON.stringify(path)} as a path`, () => {
      const options = { identify: () => 'alice', path } as { identify: () => string; path: string }
      assert.throws(() => cometHandler(new Comet(), options), { code: 'INVALID_OPTION', message: /path/ })
    })
  }

  for (const options of [undefined, {}, { identify: 'alice' }]) {
    it(`refuses ${JSON.stringify(options)} as options`, () => {
      const wrong = options as unknown as { identify: () => string }
      assert.throws(() => cometHandler(new Comet(), wrong), { code: 'INVALID_OPTION', message: /identify/ })
    })
  }
})
