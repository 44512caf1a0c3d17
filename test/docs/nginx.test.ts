import { deepEqual, equal } from 'node:assert/strict'
import { once } from 'node:events'
import http, { type Server } from 'node:http'
import type { Browser, Page } from 'playwright-core'
import { cometHandler } from '../../adapters/node.ts'
import { Comet } from '../../lib/index.ts'
import { launchBrowser } from '../support/browser.ts'
import { makeCertificate } from '../support/certificate.ts'
import { openEventSource, type Ready } from '../support/clients.ts'
import { blockOf, replaced } from '../support/guide.ts'
import { scaled, until } from '../support/inbox.ts'
import { freePort, Nginx } from '../support/nginx.ts'
import { requireProgram } from '../support/requirements.ts'
import '../support/process-guard.ts'

/** How long an EventSource waits while the app is away, in place of the three seconds of the guide. */
const AWAY_RETRY_MS = 150

/** More streams than the six connections that a browser opens to a host over HTTP/1.1. */
const STREAMS = 9

const PAGE = `<!doctype html><script>
  const page = { ready: 0, said: [], errors: 0, closed: 0 }
  for (let i = 0; i < ${STREAMS}; i += 1) {
    const source = new EventSource('/comet?u=page')
    source.addEventListener('comet.ready', () => (page.ready += 1))
    source.addEventListener('said', ({ data }) => page.said.push(JSON.parse(data)))
    source.onerror = () => {
      page.errors += 1
      if (source.readyState === EventSource.CLOSED) page.closed += 1
    }
  }
</script>`

/** The configuration of the guide. */
const GUIDE = blockOf('docs/guides/deployment.md', 'nginx')

describe('docs/guides/deployment.md: nginx', function () {
  this.timeout(scaled(60_000))
  let program: string
  let files: Readonly<Record<string, Buffer>>
  let nginx: Nginx | undefined
  let app: App | undefined
  let appPort: number
  /** The addresses of nginx over HTTP/1.1, and over HTTP/2 with TLS. */
  let plain: { readonly url: string }
  let origin: string

  before(async function () {
    program = requireProgram(this, 'nginx', 'apt-get install nginx-light')
    const { key, cert } = makeCertificate(this)
    files = { 'key.pem': key, 'cert.pem': cert }
  })

  beforeEach(async () => {
    appPort = await freePort()
    app = await App.start(appPort)
  })

  afterEach(async () => {
    await nginx?.stop()
    await app?.stop()
    nginx = undefined
    app = undefined
  })

  /** Starts nginx as the guide says, with ports and files of the test. */
  async function startNginx(changes: Readonly<Record<string, string>> = {}): Promise<void> {
    const [port, tlsPort] = [await freePort(), await freePort()]
    plain = { url: `http://127.0.0.1:${port}/comet` }
    origin = `https://127.0.0.1:${tlsPort}`
    const config = replaced(GUIDE, {
      '127.0.0.1:3000': `127.0.0.1:${appPort}`,
      'listen 443 ssl http2;': `listen 127.0.0.1:${tlsPort} ssl http2; listen 127.0.0.1:${port};`,
      '/etc/ssl/example.com/fullchain.pem': 'cert.pem',
      '/etc/ssl/example.com/key.pem': 'key.pem',
      'retry: 3000': `retry: ${AWAY_RETRY_MS}`,
      ...changes,
    })
    nginx = await Nginx.start(program, config, port, files)
  }

  async function restartApp(whileAway: () => Promise<void>): Promise<void> {
    await app?.stop()
    await whileAway()
    app = await App.start(appPort)
  }

  /** Opens a stream, publishes events one after the other, each when the one before has come, and sends packets. */
  async function useStream(): Promise<string | null> {
    const { source, next, close } = openEventSource(`${plain.url}?u=alice`, { events: ['said'] })
    try {
      const { sid } = JSON.parse((await next('comet.ready')).data) as Ready
      for (const number of [1, 2, 3]) {
        await app?.comet.publish({ uid: 'alice', event: 'said', data: number })
        deepEqual(JSON.parse((await next('said')).data), number)
      }
      equal(await post(`${plain.url}/${sid}?u=alice`), 204)
      equal(await post(`${plain.url}/${sid}?u=bob`), 403)
      return await encodingOf(source.url)
    } finally {
      close()
    }
  }

  it('passes on each event as it comes, and packets', async () => {
    await startNginx()
    equal(await useStream(), null)
  })

  // Here nginx 1.22 would hold the events back without the header X-Accel-Buffering of the stream.
  it('passes on each event as it comes where it compresses streams, too', async () => {
    const timeout = 'proxy_read_timeout 60s;'
    await startNginx({ [timeout]: `${timeout} gzip on; gzip_types text/event-stream; gzip_min_length 1;` })
    equal(await useStream(), 'gzip')
  })

  it('gives an EventSource an answer to come back after, and a packet 503, while the app is away', async () => {
    await startNginx()
    await restartApp(async () => {
      const response = await fetch(`${plain.url}?u=alice`)
      deepEqual(
        [response.status, response.headers.get('content-type'), await response.text()],
        [200, 'text/event-stream', `retry: ${AWAY_RETRY_MS}\n\n`],
      )
      equal(await post(`${plain.url}/sid?u=alice`), 503)
      equal((await fetch(new URL('/', plain.url))).status, 502)
    })
  })

  it('leaves the errors of the app as they are', async () => {
    await startNginx()
    equal((await fetch(plain.url)).status, 401)
    equal((await fetch(new URL('/comet/away', plain.url))).status, 503)
  })

  it('keeps an EventSource alive through a restart of the app', async () => {
    await startNginx()
    const { source, next, close } = openEventSource(`${plain.url}?u=alice`, { events: ['said'] })
    try {
      await next('comet.ready')
      let errors = 0
      source.addEventListener('error', () => {
        errors += 1
      })
      await restartApp(() => until(() => errors >= 3, 'three attempts while the app is away'))
      await next('comet.ready')
      await app?.comet.publish({ uid: 'alice', event: 'said', data: 'again' })
      equal((await next('said')).data, '"again"')
    } finally {
      close()
    }
  })

  it('would lose the EventSource without its error_page', async () => {
    await startNginx({ 'error_page 502 503 504 = @comet_away;': '' })
    const { source, next, close } = openEventSource(`${plain.url}?u=alice`, { events: ['said'] })
    try {
      await next('comet.ready')
      await restartApp(() =>
        until(() => source.readyState === source.CLOSED, 'that it gave up', scaled(15_000)),
      )
    } finally {
      close()
    }
  })

  describe('in Chromium over HTTP/2', () => {
    let browser: Browser
    let page: Page

    before(async function () {
      browser = await launchBrowser(this)
    })
    after(() => browser?.close())

    beforeEach(async () => {
      await startNginx()
      page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage()
      await page.goto(origin)
    })

    const holds = (condition: string) =>
      page.waitForFunction(condition, undefined, { timeout: scaled(15_000), polling: 50 })

    it(`opens ${STREAMS} streams at once and keeps them through a restart of the app`, async () => {
      await holds(`page.ready === ${STREAMS}`)
      await app?.comet.publish({ uid: 'page', event: 'said', data: 1 })
      await holds(`page.said.length === ${STREAMS}`)
      await restartApp(async () => {
        await page.evaluate('page.errors = 0')
        await holds(`page.errors >= ${3 * STREAMS}`)
      })
      await holds(`page.ready === ${2 * STREAMS}`)
      await app?.comet.publish({ uid: 'page', event: 'said', data: 2 })
      await holds(`page.said.length === ${2 * STREAMS}`)
      equal(await page.evaluate('page.closed'), 0)
      equal(await page.evaluate('performance.getEntriesByType("navigation")[0].nextHopProtocol'), 'h2')
    })
  })
})

/** An app on node:http, as a deploy starts and ends it. */
class App {
  readonly comet = new Comet({ retry: 1_000 })
  readonly #server: Server

  private constructor() {
    const handler = cometHandler(this.comet, {
      path: '/comet',
      identify: (req) => new URLSearchParams(req.url?.split('?')[1]).get('u'),
    })
    this.#server = http.createServer((req, res) => {
      if (req.url === '/') res.setHeader('content-type', 'text/html').end(PAGE)
      else if (req.url === '/comet/away') res.writeHead(503).end()
      else handler(req, res)
    })
  }

  static async start(port: number): Promise<App> {
    const app = new App()
    app.#server.listen(port, '127.0.0.1')
    await once(app.#server, 'listening')
    return app
  }

  async stop(): Promise<void> {
    await this.comet.close({ drain: 0 })
    if (!this.#server.listening) return
    this.#server.close()
    this.#server.closeAllConnections()
    await once(this.#server, 'close')
  }
}

async function encodingOf(url: string): Promise<string | null> {
  const controller = new AbortController()
  const response = await fetch(url, { signal: controller.signal })
  controller.abort()
  return response.headers.get('content-encoding')
}

async function post(url: string): Promise<number> {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(url, { method: 'POST', headers, body: '{"type":"HB"}' })
  await response.arrayBuffer()
  return response.status
}
