import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { TestApp } from '../../support/apps.ts'
import { built } from '../../support/built.ts'
import { connect, postPacket, request } from '../../support/clients.ts'
import type { Contract } from './part.ts'

const FILE = fileURLToPath(new URL('../../../dist/client.min.js', import.meta.url))

/** The client for pages, which an adapter serves if it is told to. */
export function clientScript({ adapter, start }: Contract): void {
  const ask = (app: TestApp, headers: Record<string, string> = {}, method = 'GET', path = '/client.js') =>
    request(app, { method, path, headers: { accept: '*/*', ...headers } })

  describe('serveClient', () => {
    beforeEach(built)

    it('answers the built client to anybody, with a tag of its content', async () => {
      const app = await start({ serveClient: true })
      for (const path of ['/client.js', '/client.js?', '/client.js?v=1&rid[]=a']) {
        const { status, headers, text } = await ask(app, {}, 'GET', path)
        assert.equal(status, 200)
        assert.equal(text, await readFile(FILE, 'utf8'))
        assert.equal(headers['content-type'], 'text/javascript; charset=utf-8')
        assert.equal(headers['cache-control'], 'no-cache')
        assert.equal(headers['x-content-type-options'], 'nosniff')
        assert.equal(headers['content-length'], String(Buffer.byteLength(text)))
        assert.match(String(headers.etag), /^W\/"[\w-]{22}"$/)
      }
      assert.equal(app.comet.stats().connections, 0)
    })

    it('answers HEAD alike, without a body', async () => {
      const app = await start({ serveClient: true })
      const whole = await ask(app)
      const { status, headers, text } = await ask(app, {}, 'HEAD')
      assert.deepEqual([status, text], [200, ''])
      for (const name of [
        'content-type',
        'content-length',
        'etag',
        'cache-control',
        'x-content-type-options',
      ]) {
        assert.equal(headers[name], whole.headers[name], name)
      }
    })

    it('answers 304 without a body to a client that has it', async () => {
      const app = await start({ serveClient: true })
      const { etag } = (await ask(app)).headers
      const strong = String(etag).slice(2)
      const known = [etag, strong, '*', `"a", ${etag}`, `W/"a",${strong} , "b"`, `"a,b", ${etag}`]
      for (const method of ['GET', 'HEAD']) {
        for (const tags of known) {
          const { status, headers, text } = await ask(app, { 'if-none-match': String(tags) }, method)
          assert.deepEqual([status, text], [304, ''], `${method} ${tags}`)
          assert.deepEqual([headers.etag, headers['cache-control']], [etag, 'no-cache'])
          assert.equal(headers['content-type'], undefined)
        }
        const others = [
          '"a"',
          'W/"a"',
          '""',
          strong.slice(1, -1),
          `"a${strong.slice(1)}`,
          `w/${strong}`,
          '"*"',
          ',',
        ]
        for (const tags of others) {
          assert.equal((await ask(app, { 'if-none-match': tags }, method)).status, 200, tags)
        }
      }
    })

    it('refuses pages of other sites, unless crossSite is set', async () => {
      const app = await start({ serveClient: true })
      const foreign = { 'sec-fetch-site': 'cross-site' }
      const { status, json } = await ask(app, foreign)
      assert.deepEqual([status, json.error.code], [403, 'CROSS_SITE'])
      for (const site of ['same-origin', 'same-site', 'none']) {
        assert.equal((await ask(app, { 'sec-fetch-site': site })).status, 200)
      }
      const open = await start({ serveClient: true, crossSite: true })
      assert.equal((await ask(open, foreign)).status, 200)
    })

    it('leaves other methods and other paths to the app, and everything without the option', async () => {
      const app = await start({ serveClient: true })
      for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
        assert.equal((await ask(app, {}, method)).status, adapter.passed, method)
      }
      const paths = [
        '/client.jsx',
        '/client.js/',
        '/client.js/x',
        '/x/client.js',
        '/client%2Ejs',
        '/Client.js',
      ]
      for (const path of ['/client.min.js', '/client', ...paths]) {
        assert.equal((await ask(app, {}, 'GET', path)).status, adapter.passed, path)
      }
      const without = await start()
      for (const method of ['GET', 'HEAD']) {
        const headers = { 'sec-fetch-site': 'cross-site', 'if-none-match': '*' }
        assert.equal((await ask(without, headers, method)).status, adapter.passed)
      }
    })

    it('leaves streams and packets as they are', async () => {
      const app = await start({ serveClient: true })
      const { sid, ready } = await connect(app, 'alice')
      assert.equal(ready.uid, 'alice')
      assert.equal((await postPacket(app, 'alice', sid, { type: 'HB' })).status, 204)
    })
  })
}
