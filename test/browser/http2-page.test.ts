import { deepEqual, equal, ok } from 'node:assert/strict'
import http2, { type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Browser } from 'playwright-core'
import { cometHandler } from '../../adapters/node.ts'
import { Comet } from '../../lib/index.ts'
import { identifyByHeader, listen } from '../support/apps.ts'
import { launchBrowser } from '../support/browser.ts'
import { makeCertificate } from '../support/certificate.ts'
import { scaled, until } from '../support/inbox.ts'
import { figure, sampled } from '../support/tier.ts'
import '../support/process-guard.ts'

/** How long the streams are renewed. */
const RENEWALS = sampled(20, 4)

/** The streams that are renewed, besides one that stays. */
const USERS = ['a', 'b', 'c']

/** The packets that are on their way at any time. */
const POSTERS = 20

/** Runs in the page: opens a stream for each user again whenever it has ended, and posts packets all the time. */
const SCRIPT = `
  const page = { began: 0, posts: 0, failures: [], stopped: false }
  const open = (user) => {
    const source = new EventSource('/comet?u=' + user)
    source.addEventListener('comet.ready', () => (page.began += 1))
    source.addEventListener('comet.close', () => {
      source.close()
      open(user)
    })
  }
  for (const user of ${JSON.stringify(USERS)}) open(user)
  const post = async (sid) => {
    while (!page.stopped) {
      const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"type":"HB"}' }
      await fetch('/comet/' + sid + '?u=poster', init).then(
        ({ status }) => status === 204 || page.failures.push(status),
        (error) => page.failures.push(String(error)),
      )
      page.posts += 1
    }
  }
  new EventSource('/comet?u=poster').addEventListener('comet.ready', ({ data }) => {
    const { sid } = JSON.parse(data)
    for (let i = 0; i < ${POSTERS}; i += 1) post(sid)
  })
`

describe('A page in Chromium over HTTP/2', function () {
  this.timeout(scaled(60_000))
  let browser: Browser
  before(async function () {
    browser = await launchBrowser(this)
  })
  after(() => browser?.close())

  it('fails no packet while its other streams are ended and opened again every second', async function () {
    const comet = new Comet({ packetRate: 100_000 })
    const handler = cometHandler(comet, { path: '/comet', identify: identifyByHeader })
    const serve = (req: Http2ServerRequest, res: Http2ServerResponse) => {
      if (req.url !== '/page') return handler(req, res)
      res.setHeader('Content-Type', 'text/html')
      res.end(`<!doctype html><title>page</title><script>${SCRIPT}</script>`)
    }
    const app = await listen(http2.createSecureServer(makeCertificate(this), serve), comet)
    const versions = new Set<string>()
    app.server.on('request', ({ httpVersion }: Http2ServerRequest) => versions.add(httpVersion))
    const context = await browser.newContext({ ignoreHTTPSErrors: true })
    try {
      const page = await context.newPage()
      await page.goto(`https://127.0.0.1:${app.port}/page`)
      const see = () =>
        page.evaluate('page') as Promise<{ began: number; posts: number; failures: unknown[] }>
      await until(async () => (await see()).posts > 0, 'posting', scaled(20_000))
      for (let i = 1; i <= RENEWALS; i++) {
        await until(async () => (await see()).began === i * USERS.length, 'renewed', scaled(10_000))
        await sleep(1_000)
        for (const uid of USERS) equal(await comet.disconnect({ uid }, { reconnect: true }), 1)
      }
      await page.evaluate('page.stopped = true')
      const { posts, failures } = await see()
      figure('packets beside renewed streams', String(posts))
      deepEqual(failures, [])
      ok(posts > RENEWALS)
      deepEqual(Array.from(versions), ['2.0'])
    } finally {
      await context.close()
      await app.close()
    }
  })
})
