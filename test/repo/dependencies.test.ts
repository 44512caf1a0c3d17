import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { cruise, type ICruiseResult } from 'dependency-cruiser'
import extractDepcruiseOptions from 'dependency-cruiser/config-utl/extract-depcruise-options'
import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config'
import { scaled } from '../support/inbox.ts'

/** An import that a rule forbids. */
interface Violation {
  readonly rule: { readonly name: string }
  readonly from: string
  readonly to: string
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const CONFIGURATION = ['.dependency-cruiser.cjs', 'tsconfig.json'] as const

/** Checks the imports of `lib` and `adapters` in a folder by the rules there, as `npm run lint` does. */
async function violationsIn(folder: string): Promise<string[]> {
  const [rules, tsConfig] = CONFIGURATION.map((name) => join(folder, name)) as [string, string]
  const options = { ...(await extractDepcruiseOptions(rules)), baseDir: folder }
  const { output } = await cruise(
    ['lib', 'adapters', 'client'],
    options,
    {},
    { tsConfig: extractTSConfig(tsConfig) },
  )
  return describeAll((output as ICruiseResult).summary.violations)
}

function describeAll(violations: readonly Violation[]): string[] {
  return violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`).sort()
}

describe('the direction of dependencies', function () {
  this.timeout(scaled(60_000))

  const folders: string[] = []

  /** Checks files in a folder of their own by the rules of the project. */
  async function judge(files: Record<string, string>): Promise<string[]> {
    const folder = await mkdtemp(join(tmpdir(), 'comet-house-'))
    folders.push(folder)
    const packages = ['eventemitter3', 'express', 'koa'].map((name) => [`node_modules/${name}/index.js`, ''])
    const all: Record<string, string> = {
      'adapters/koa.ts': '',
      'client/index.ts': '',
      ...Object.fromEntries(packages),
      ...files,
    }
    for (const [path, text] of Object.entries(all)) {
      await mkdir(dirname(join(folder, path)), { recursive: true })
      await writeFile(join(folder, path), text)
    }
    for (const name of CONFIGURATION) await cp(join(root, name), join(folder, name))
    return await violationsIn(folder)
  }

  after(async () => {
    for (const folder of folders) await rm(folder, { recursive: true, force: true })
  })

  it('is kept by every file of the project', async () => {
    // By the program that `npm run lint` runs. The tests below call its library, which takes a tenth of the time.
    const program = join(root, 'node_modules/.bin/depcruise')
    const args = ['lib', 'adapters', 'client', '--output-type', 'json']
    // Its exit code is the number of violations, which are in its output, too.
    const { stdout } = await promisify(execFile)(program, args, { cwd: root, maxBuffer: 2 ** 26 }).catch(
      (error) => error,
    )
    assert.deepEqual(describeAll(JSON.parse(stdout).summary.violations), [])
  })

  it('goes from adapters to lib, and from there to eventemitter3 and Node', async () => {
    const files = {
      'lib/http/handler.ts': "import '../comet.ts'\nimport 'node:http'\n",
      'lib/comet.ts': "import './hooks/hooks.ts'\n",
      'lib/hooks/hooks.ts': "import 'eventemitter3'\nimport './feed.ts'\n",
      'lib/hooks/feed.ts': '',
      'adapters/express.ts': "import '../lib/http/handler.ts'\nimport 'express'\nimport 'node:http'\n",
      'adapters/redis/index.ts': "import '../../lib/comet.ts'\nimport './broker.ts'\n",
      'adapters/redis/broker.ts': '',
    }
    assert.deepEqual(await judge(files), [])
  })

  /** A file in each folder of lib, by layer, from the ground up. */
  const LAYERS = [
    { ground: 'lib/util/a.ts' },
    { protocol: 'lib/protocol/a.ts' },
    { ports: 'lib/ports/a.ts' },
    { stream: 'lib/stream/a.ts', memory: 'lib/memory/a.ts', hooks: 'lib/hooks/a.ts' },
    { session: 'lib/session/a.ts', history: 'lib/history/a.ts' },
    { options: 'lib/options.ts' },
    { node: 'lib/node/a.ts' },
    { operations: 'lib/operations/a.ts' },
    { comet: 'lib/comet.ts' },
    { http: 'lib/http/a.ts', index: 'lib/index.ts' },
  ]
  const FOLDERS = LAYERS.flatMap((layer, height) =>
    Object.entries(layer).map(([folder, file]) => ({ folder, file, height })),
  )

  const pathTo = (from: string, to: string) => {
    const path = relative(dirname(from), to)
    return path.startsWith('.') ? path : `./${path}`
  }

  for (const { folder, file, height } of FOLDERS) {
    const beside = FOLDERS.filter((other) => other.height >= height && other.file !== file)
    if (beside.length === 0) continue
    it(`forbids ${folder} every layer above it, and the rest of its own`, async () => {
      const imports = beside.map((other) => `import '${pathTo(file, other.file)}'\n`)
      const files = Object.fromEntries(FOLDERS.map((each) => [each.file, '']))
      const found = await judge({ ...files, [file]: imports.join('') })
      assert.deepEqual(
        found.filter((violation) => violation.startsWith('layer-')),
        beside.map((other) => `layer-${folder}: ${file} → ${other.file}`).sort(),
      )
    })
  }

  it('lets a folder import every layer below it', async () => {
    const imports = FOLDERS.filter(({ height }) => height < 9).map(
      ({ file }) => `import '../${file.slice(4)}'\n`,
    )
    const files = Object.fromEntries(FOLDERS.map((each) => [each.file, '']))
    assert.deepEqual(await judge({ ...files, 'lib/http/a.ts': imports.join('') }), [])
  })

  it('forbids lib a file outside of the layers', async () => {
    const files = { 'lib/helpers.ts': "import 'node:path'\n", 'lib/more/a.ts': "import 'node:path'\n" }
    assert.deepEqual(await judge(files), [
      'every-file-has-a-layer: lib/helpers.ts → path',
      'every-file-has-a-layer: lib/more/a.ts → path',
    ])
  })

  it('forbids the protocol, and what it stands on, anything of Node', async () => {
    const files = {
      'lib/protocol/a.ts': "import 'node:crypto'\nimport '../util/clock.ts'\nimport '../util/validate.ts'\n",
      'lib/util/validate.ts': "import 'node:buffer'\n",
      'lib/util/clock.ts': '',
    }
    assert.deepEqual(await judge(files), [
      'protocol-is-neutral: lib/protocol/a.ts → crypto',
      'protocol-is-neutral: lib/protocol/a.ts → lib/util/clock.ts',
      'protocol-is-neutral: lib/util/validate.ts → buffer',
    ])
  })

  it('forbids lib a framework, even one that only gives a type', async () => {
    const files = {
      'lib/http/a.ts': "import 'express'\n",
      'lib/http/b.ts': "import type { Request } from 'express'\nexport type { Request }\n",
    }
    assert.deepEqual(await judge(files), [
      'lib-stands-alone: lib/http/a.ts → node_modules/express/index.js',
      'lib-stands-alone: lib/http/b.ts → node_modules/express/index.js',
    ])
  })

  it('forbids lib an adapter', async () => {
    const files = { 'lib/http/a.ts': "import '../../adapters/koa.ts'\n" }
    assert.deepEqual(await judge(files), ['lib-stands-alone: lib/http/a.ts → adapters/koa.ts'])
  })

  it('forbids an import cycle, even one of types', async () => {
    const files = {
      'lib/util/a.ts': "import type { B } from './b.ts'\nexport interface A { b: B }\n",
      'lib/util/b.ts': "import type { A } from './a.ts'\nexport interface B { a: A }\n",
    }
    assert.deepEqual(await judge(files), ['no-cycle: lib/util/a.ts → lib/util/b.ts'])
  })

  it('forbids an adapter another adapter, and its package', async () => {
    const files = { 'lib/util/a.ts': '', 'adapters/express.ts': "import './koa.ts'\nimport 'koa'\n" }
    assert.deepEqual(await judge(files), [
      'adapters-know-one-product: adapters/express.ts → node_modules/koa/index.js',
      'adapters-stand-apart: adapters/express.ts → adapters/koa.ts',
    ])
  })

  it('forbids the client all but itself and the protocol, and forbids the server the client', async () => {
    const files = {
      'lib/protocol/a.ts': '',
      'lib/util/b.ts': "import '../../client/index.ts'\n",
      'adapters/express.ts': "import '../client/index.ts'\n",
      'client/a.ts': "import './b.ts'\nimport '../lib/protocol/a.ts'\n",
      'client/b.ts': "import 'node:crypto'\nimport 'eventemitter3'\nimport '../lib/util/b.ts'\n",
    }
    assert.deepEqual(await judge(files), [
      'client-stands-apart: client/b.ts → crypto',
      'client-stands-apart: client/b.ts → lib/util/b.ts',
      'client-stands-apart: client/b.ts → node_modules/eventemitter3/index.js',
      'lib-stands-alone: lib/util/b.ts → client/index.ts',
      'nobody-imports-the-client: adapters/express.ts → client/index.ts',
    ])
  })

  it('forbids an import of what is not there', async () => {
    const files = { 'lib/util/a.ts': '', 'adapters/express.ts': "import '../lib/gone.ts'\n" }
    assert.deepEqual(await judge(files), ['nothing-unresolved: adapters/express.ts → ../lib/gone.ts'])
  })
})
