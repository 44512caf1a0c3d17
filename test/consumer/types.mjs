/** Compiles `types/`, which are programs against the built declarations, with every TypeScript that consumers may use. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { compilers } from './compilers.mjs'

const run = promisify(execFile)
const here = fileURLToPath(new URL('.', import.meta.url))

for (const project of ['types', 'types/koa', 'types/nats', 'types/protocol']) {
  for (const exact of ['true', 'false']) {
    const flags = ['-p', project, '--exactOptionalPropertyTypes', exact]
    await Promise.all(compilers.map((compiler) => compile(compiler, flags)))
  }
}

async function compile({ name, tsc }, flags) {
  const what = `${name}: tsc ${flags.join(' ')}`
  try {
    await run(process.execPath, [tsc, ...flags], { cwd: here, timeout: 120_000 })
    console.log(`ok     ${what}`)
  } catch (error) {
    process.exitCode = 1
    console.error(`FAILED ${what}\n${error.stdout || error.message}`)
  }
}
