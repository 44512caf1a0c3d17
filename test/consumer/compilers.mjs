import { createRequire } from 'node:module'
import { join } from 'node:path'

const require = createRequire(import.meta.url)

/** The compilers that consumers may use: their name, and the file of `tsc`. */
export const compilers = ['typescript-5.9', 'typescript', 'typescript-7'].map((alias) => {
  const manifest = require.resolve(`${alias}/package.json`)
  const { version } = require(manifest)
  return { name: `TypeScript ${version}`, tsc: join(manifest, '../bin/tsc') }
})
