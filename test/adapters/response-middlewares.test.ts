import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import compression from 'compression'
import type { RequestHandler } from 'express'
import { byKind, startApp, type TestApp } from '../support/apps.ts'
import { connect, request } from '../support/clients.ts'
import { until } from '../support/inbox.ts'
import '../support/process-guard.ts'

// They have no types.
const require = createRequire(import.meta.url)
type Log = { readonly stream: { write(line: string): void } }
const morgan = require('morgan') as (format: string, log: Log) => RequestHandler
const responseTime = require('response-time') as () => RequestHandler
const cookieSession = require('cookie-session') as (options: object) => RequestHandler

for (const adapter of byKind('express')) {
  describe(`GET stream in ${adapter.name} behind a middleware`, () => {
    const apps: TestApp[] = []
    const start = async (...before: RequestHandler[]) => {
      const app = await startApp(adapter, { before })
      apps.push(app)
      return app
    }
    afterEach(async () => {
      for (const app of apps.splice(0)) await app.close()
    })
    const end = async (app: TestApp, stream: { ended: Promise<boolean> }) => {
      await app.comet.disconnect({ uid: 'alice' })
      assert.equal(await stream.ended, true)
    }

    it('that logs: morgan writes one line when the stream ends, and when its client leaves', async () => {
      const lines: string[] = []
      const log = morgan(':method :url :status :res[x-response-time]', {
        stream: { write: (line) => lines.push(line) },
      })
      const app = await start(log, responseTime(), compression())
      const stream = await connect(app, 'alice', { headers: { 'accept-encoding': 'gzip' } })
      assert.match(String(stream.headers['x-response-time']), /ms$/)
      assert.equal(lines.length, 0)
      await end(app, stream)
      await until(() => lines.length === 1)
      const leaves = await connect(app, 'bob')
      leaves.destroy()
      await until(() => lines.length === 2)
      assert.match(lines[0] as string, /^GET \/comet 200 [\d.]+ms\n$/)
    })

    it("that works in `end`: it is not called at the stream's end, but 'finish' and 'close' are emitted", async () => {
      const seen: string[] = []
      const app = await start((_req, res, next) => {
        const { end } = res
        res.end = ((...args: Parameters<typeof end>) => {
          seen.push('end')
          return end.apply(res, args)
        }) as typeof end
        res.on('finish', () => seen.push('finish')).on('close', () => seen.push('close'))
        next()
      })
      await end(app, await connect(app, 'alice'))
      await until(() => seen.includes('close'))
      assert.deepEqual(seen, ['finish', 'close'])
      seen.length = 0
      await request(app)
      await until(() => seen.includes('close'))
      assert.deepEqual(seen, ['end', 'finish', 'close'])
    })

    it('that replaces `write` and `end`: both are called', async () => {
      const app = await start((_req, res, next) => {
        const { write, end } = res
        res.write = ((chunk: Uint8Array) => write.call(res, chunk, 'utf8')) as typeof write
        res.end = (() => end.call(res, ':end\n', 'utf8')) as typeof end
        next()
      })
      const stream = await connect(app, 'alice')
      await end(app, stream)
      assert.match(stream.text(), /:end\n$/)
    })

    it('that keeps its session in a cookie: the stream sets it when identify has changed it', async () => {
      const app = await startApp(adapter, {
        before: [cookieSession({ name: 'session', keys: ['secret'] })],
        identify: (_req, source) => {
          const { session } = source as { session: { visits?: number } }
          session.visits = (session.visits ?? 0) + 1
          return 'alice'
        },
      })
      apps.push(app)
      const stream = await connect(app, '')
      const [cookie = ''] = stream.headers['set-cookie'] ?? []
      const [, content = ''] = /^session=([^;]+)/.exec(cookie) ?? []
      assert.deepEqual(JSON.parse(Buffer.from(content, 'base64').toString()), { visits: 1 })
      await end(app, stream)
    })
  })
}
