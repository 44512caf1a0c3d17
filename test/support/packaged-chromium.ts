import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const MANIFEST = join(ROOT, 'node_modules/@sparticuz/chromium/package.json')
/** `npm ci` removes this folder. No other user of the machine can write to it, unlike the system's temp folder. */
const CACHE = join(ROOT, 'node_modules/.cache/comet-sse')

/** Unpacks into the temp folder. Libraries such as libnss3 are unpacked only where AWS_LAMBDA_JS_RUNTIME is set. */
const UNPACK = `import chromium from '@sparticuz/chromium'; await chromium.executablePath()`

/** The package's own file names /tmp/fonts. */
const FONTS = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir prefix="relative">fonts</dir><cachedir prefix="xdg">fontconfig</cachedir></fontconfig>
`

export interface PackagedChromium {
  readonly executablePath: string
  /** The environment in which it finds its libraries and fonts. */
  readonly env: NodeJS.ProcessEnv
}

/**
 * Unpacks the Chromium of `@sparticuz/chromium`, once for an installation: 200 MB, in 2 s on two cores. Several
 * processes may call this at the same time.
 *
 * @returns undefined where the package has no program for this machine
 */
export async function packagedChromium(): Promise<PackagedChromium | undefined> {
  const isMadeFor = process.platform === 'linux' && process.arch === 'x64'
  if (!isMadeFor || !existsSync(MANIFEST)) return undefined
  const { version } = JSON.parse(readFileSync(MANIFEST, 'utf8'))
  const folder = join(CACHE, `chromium-${version}`)
  if (!existsSync(folder)) await unpackTo(folder)
  const libraries = [join(folder, 'al2023/lib'), process.env.LD_LIBRARY_PATH]
  return {
    executablePath: join(folder, 'chromium'),
    env: {
      ...process.env,
      LD_LIBRARY_PATH: libraries.filter(Boolean).join(':'),
      FONTCONFIG_PATH: join(folder, 'fonts'),
    },
  }
}

async function unpackTo(folder: string): Promise<void> {
  await mkdir(CACHE, { recursive: true })
  const unfinished = await mkdtemp(`${folder}-`)
  try {
    // In a process of its own, because the import changes LD_LIBRARY_PATH of the process that imports it.
    await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', UNPACK], {
      cwd: ROOT,
      env: { ...process.env, TMPDIR: unfinished, AWS_LAMBDA_JS_RUNTIME: 'nodejs20.x' },
      timeout: 60_000,
      killSignal: 'SIGKILL',
    })
    await writeFile(join(unfinished, 'fonts/fonts.conf'), FONTS)
    await rename(unfinished, folder)
  } catch (error) {
    // Another process has unpacked it in the meantime: a folder that has files is not replaced.
    if (!existsSync(folder)) throw error
  } finally {
    await rm(unfinished, { recursive: true, force: true })
  }
}
