import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import { adapterOf, startApp } from '../support/apps.ts'
import { launchBrowser } from '../support/browser.ts'
import { built } from '../support/built.ts'
import { scaled } from '../support/inbox.ts'
import { figure } from '../support/tier.ts'
import '../support/process-guard.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** A page as a user of the package writes it. */
const PAGE = `
  import { CometError, parseControlEvent, parseMessage } from 'comet-sse/protocol'

  globalThis.seen = []
  const source = new EventSource('/comet?u=alice')
  source.addEventListener('comet.ready', ({ data }) => {
    const { uid, heartbeat } = parseControlEvent('comet.ready', data)
    globalThis.seen.push([uid, heartbeat])
  })
  source.addEventListener('message', ({ data }) => {
    const { event, time } = parseMessage(data)
    globalThis.seen.push([event, String(time)])
    try {
      parseMessage('nonsense')
    } catch (error) {
      globalThis.seen.push([error instanceof CometError, error.code])
    }
  })
`

/** Bundles a page. @returns the folder with the bundle */
type Bundle = (entry: string, outdir: string) => Promise<void>

const bundlers: Record<string, Bundle> = {
  esbuild: async (entry, outdir) => {
    const esbuild = await import('esbuild')
    const options = { bundle: true, format: 'esm', platform: 'browser', minify: true } as const
    const { warnings } = await esbuild.build({ ...options, entryPoints: [entry], outdir })
    assert.deepEqual(warnings, [])
  },
  Vite: async (entry, outDir) => {
    const vite = await import('vite')
    // Vite sets it for the whole process, and with it for the programs that later tests start.
    const { NODE_ENV } = process.env
    const warnings: string[] = []
    const customLogger = vite.createLogger('warn')
    customLogger.warn = (message) => warnings.push(message)
    const rolldownOptions = { input: entry, output: { entryFileNames: '[name].js' } }
    await vite.build({
      configFile: false,
      root: join(outDir, '..'),
      customLogger,
      build: { outDir, rolldownOptions, modulePreload: false },
    })
    if (NODE_ENV === undefined) delete process.env.NODE_ENV
    else process.env.NODE_ENV = NODE_ENV
    assert.deepEqual(warnings, [])
  },
}

describe('A bundle of comet-sse/protocol for browsers', function () {
  this.timeout(scaled(60_000))
  let browser: Browser
  let folder: string

  before(async function () {
    browser = await launchBrowser(this)
  })
  after(async () => {
    await browser?.close()
  })
  beforeEach(async () => {
    await built()
    // Within the repository, where its own name resolves to it.
    folder = await mkdtemp(join(root, 'node_modules/.cache/bundle-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  for (const [name, bundle] of Object.entries(bundlers)) {
    it(`made by ${name} holds nothing of Node.js, and runs`, async () => {
      const entry = join(folder, 'page.js')
      await writeFile(entry, PAGE)
      await bundle(entry, join(folder, 'out'))
      assert.deepEqual(await readdir(join(folder, 'out')), ['page.js'])
      const code = await readFile(join(folder, 'out', 'page.js'), 'utf8')
      figure(name, `${code.length} bytes`)
      for (const trace of ['node:', 'Buffer', 'process.', 'require(', 'EventEmitter', 'setImmediate']) {
        assert.ok(!code.includes(trace), trace)
      }
      assert.ok(code.length < 10_000, `${code.length} bytes`)
      await run(code)
    })
  }

  async function run(code: string): Promise<void> {
    const serve = ({ url }: IncomingMessage, res: ServerResponse, next: () => void) => {
      if (url === '/page')
        res.setHeader('content-type', 'text/html').end('<script type="module" src="/page.js"></script>')
      else if (url === '/page.js') res.setHeader('content-type', 'text/javascript').end(code)
      else if (url === '/favicon.ico') res.writeHead(204).end()
      else next()
    }
    const app = await startApp(adapterOf('Express 5'), { before: [serve] })
    const context = await browser.newContext()
    try {
      const page = await context.newPage()
      const problems: string[] = []
      page.on('pageerror', ({ message }) => problems.push(message))
      page.on('console', (message) => problems.push(message.text()))
      await page.goto(`http://127.0.0.1:${app.port}/page`)
      await page.waitForFunction('seen.length === 1')
      await app.comet.publish({ uid: 'alice', evt: { event: 'chat', time: 1700000000123456789n } })
      await page.waitForFunction('seen.length === 3')
      assert.deepEqual(await page.evaluate('seen'), [
        ['alice', 15_000],
        ['chat', '1700000000123456789'],
        [true, 'INVALID_JSON'],
      ])
      assert.deepEqual(problems, [])
    } finally {
      await context.close()
      await app.close()
    }
  }
})
