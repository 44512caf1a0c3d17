import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { cometExpress } from '../../adapters/express.ts'
import { cometKoa } from '../../adapters/koa.ts'
import { cometHandler } from '../../adapters/node.ts'
import { ClientScript } from '../../lib/http/client-script.ts'
import { Comet } from '../../lib/index.ts'
import { built } from '../support/built.ts'
import { scaled } from '../support/inbox.ts'
import '../support/process-guard.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Makes an adapter of the package, and prints what that leads to. */
const PROGRAM = `
  import { Comet } from 'comet-sse'
  import { cometHandler } from 'comet-sse/node'
  try {
    cometHandler(new Comet(), { identify: () => 'a', serveClient: true })
    console.log('served')
  } catch ({ code, message }) {
    console.log(code, message)
  }
  process.exit()`

describe('HttpOptions.serveClient', () => {
  it('must be a boolean', async () => {
    const comet = new Comet()
    const error = { code: 'INVALID_OPTION', message: /serveClient must be/ }
    for (const serveClient of ['yes', 1, null, {}] as never[]) {
      const options = { identify: () => 'alice', serveClient }
      assert.throws(() => cometExpress(comet, options), error)
      assert.throws(() => cometKoa(comet, options), error)
      assert.throws(() => cometHandler(comet, options), error)
    }
    await comet.close()
  })

  it('has another tag for another content', () => {
    const tagOf = (text: string) => new ClientScript(Buffer.from(text)).answer(undefined).headers.ETag
    assert.equal(tagOf('a'), tagOf('a'))
    assert.notEqual(tagOf('a'), tagOf('b'))
  })

  describe('of a server that is bundled into one file', function () {
    this.timeout(scaled(30_000))
    let folder: string

    beforeEach(async () => {
      await built()
      folder = await mkdtemp(join(tmpdir(), 'comet-sse-bundle-'))
    })
    afterEach(() => rm(folder, { recursive: true, force: true }))

    async function run(format: 'cjs' | 'esm'): Promise<string> {
      const outfile = join(folder, format === 'cjs' ? 'server.cjs' : 'server.mjs')
      await build({
        stdin: { contents: PROGRAM, resolveDir: ROOT, loader: 'js' },
        ...{ bundle: true, platform: 'node', format, outfile, logLevel: 'silent' },
      })
      const { stdout } = await promisify(execFile)(process.execPath, [outfile], { cwd: folder })
      return stdout.trim()
    }

    for (const format of ['cjs', 'esm'] as const) {
      it(`says at once what to do when the file is not there: ${format}`, async () => {
        const said = await run(format)
        assert.match(
          said,
          /^INVALID_OPTION Option serveClient: .*comet-sse\/client\.min\.js.* out of the bundle/,
        )
      })
    }

    it('finds the package where it is installed beside the bundle', async () => {
      await mkdir(join(folder, 'node_modules'))
      await symlink(ROOT, join(folder, 'node_modules', 'comet-sse'))
      assert.equal(await run('esm'), 'served')
    })
  })
})
