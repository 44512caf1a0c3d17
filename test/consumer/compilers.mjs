import { createRequire } from 'node:module'
import { join } from 'node:path'

const require = createRequire(import.meta.url)

/** The compilers that consumers may have: their name, and the file that is `tsc`. */
export const compilers = ['typescript-5.9', 'typescript', 'typescript-7'].map((alias) => {
  const manifest = require.resolve(`${alias}/package.json`)
  const { version } = require(manifest)
  return { name: `TypeScript ${version}`, tsc: join(manifest, '../bin/tsc') }
})
